import type { EnginePosition, LogRecord, ReferenceData, UserRecord } from '../../core/events.ts'
import { mergeFlows, totalFlow, correctionFlow } from '../../core/flow.ts'
import { amount, assetId, type Pos, pos as asPos, symbolId, userId, version } from '../../core/ids.ts'
import { partitionOf } from '../../core/partition.ts'
import { splitOutput } from '../../core/split.ts'
import { base, house, lot, quote, type TinyCommand, TinyExchange } from '../../core/testing/tiny-exchange.ts'
import { nextChain, zeroChain } from '../../schemas/chain.ts'
import { encodeEngineOutput } from '../../schemas/codec.ts'

export const partitions = 3
export const windowMs = 1000
const firstPos = 1_700_000_000_000_000n
/** Some seven records to a window. */
const stepUs = 130_000n

const reference: ReferenceData = {
  assets: [
    { asset: base, name: 'BTC', decimals: 8 },
    { asset: quote, name: 'USDT', decimals: 6 },
  ],
  symbols: [{ symbol: symbolId(1), name: 'BTC-USDT', base, quote, lot: amount(lot), priceScale: 2, quantityScale: 4 }],
  house,
}

const funded: readonly TinyCommand[] = [1, 2, 3, 4].flatMap(user =>
  [1, 2].map(asset => ({ kind: 'deposit' as const, user, asset, amount: 1_000_000 })),
)
const place = (user: number, side: 'Buy' | 'Sell', price: number, lots: number): TinyCommand => ({
  kind: 'place',
  user,
  side,
  price,
  lots,
  life: 'rest',
})
/** Trades, partial fills, a cancel, a reduction, an order that stays open. */
const trading: readonly TinyCommand[] = [
  place(1, 'Sell', 50, 30),
  place(2, 'Buy', 52, 20),
  place(3, 'Buy', 49, 40),
  place(4, 'Sell', 49, 10),
  { kind: 'withdraw', user: 1, asset: 2, amount: 100 },
  place(2, 'Sell', 53, 25),
  { kind: 'reduce', nth: 0, lots: 5 },
  { kind: 'cancel', nth: 1 },
  place(3, 'Buy', 48, 7),
]
const later: readonly TinyCommand[] = [place(4, 'Sell', 48, 3), place(1, 'Sell', 60, 5), { kind: 'cancel', nth: 0 }]

/** A log of one session: reference data, deposits, trades, an operator's correction, and Ticks between. */
export const smallLog = ({ last }: { readonly last: 'trading' | 'ticks' }): readonly LogRecord[] => {
  const exchange = new TinyExchange()
  const records: LogRecord[] = []
  let at: EnginePosition = { epoch: 7n, random: 42n, seq: 0n, chain: zeroChain }
  const head = (): { readonly pos: Pos; readonly at: EnginePosition } => ({
    pos: asPos(firstPos + stepUs * BigInt(records.length)),
    at,
  })
  const output = (value: ReturnType<TinyExchange['take']>): void => {
    at = { ...at, seq: at.seq + 1n, chain: nextChain(at.chain, encodeEngineOutput(value)) }
    records.push({ kind: value.reference ? 'Reference' : 'Output', ...head(), output: value })
  }
  records.push({ kind: 'Session', ...head() })
  output({ time: firstPos, reference, orders: [], trades: [], changes: [] })
  for (const command of [...funded, ...trading]) output(exchange.take(command))
  const command = { id: 'c-1', who: 'an operator', why: 'a test', time: firstPos + 5n }
  const correction = {
    user: userId(77n),
    asset: assetId(1),
    version: version(1n),
    available: amount(5n),
    frozen: amount(0n),
    deltaAvailable: amount(5n),
    deltaFrozen: amount(0n),
  }
  records.push({ kind: 'Correction', ...head(), command, correction })
  records.push({ kind: 'Redrive', ...head(), command: { ...command, id: 'c-2' }, user: userId(77n) })
  for (let i = 0; i < 20; i++) records.push({ kind: 'Tick', ...head() })
  if (last === 'trading') for (const each of later) output(exchange.take(each))
  return records
}

export type PlacedRecord = { readonly partition: number; readonly record: UserRecord }

/** What the log makes of `user.outputs`; offset of a record in the log is its place. A barrier after each fifth. */
export const smallUserOutputs = (log: readonly LogRecord[]): readonly PlacedRecord[] => {
  const placed: PlacedRecord[] = []
  const ns = Array.from({ length: partitions }, () => 0n)
  const next = (partition: number): bigint => (ns[partition] = (ns[partition] ?? 0n) + 1n)
  let [previous, flow] = [asPos(0n), mergeFlows()]
  for (const [offset, record] of log.entries()) {
    const src = BigInt(offset)
    for (const each of sharesOf(record, src)) {
      const user = each.kind === 'UserCorrection' ? each.correction.user : each.kind === 'Barrier' ? null : userIn(each)
      const targets = user === null ? ns.keys() : [partitionOf(user, partitions)]
      for (const partition of targets) placed.push({ partition, record: { ...each, n: next(partition) } })
    }
    if (record.kind === 'Output') flow = mergeFlows(flow, totalFlow(record.output))
    if (record.kind === 'Correction') flow = mergeFlows(flow, correctionFlow(record.correction))
    if (offset % 5 !== 4) continue
    const all = [...ns.keys()].map(next)
    for (const [partition, n] of all.entries())
      placed.push({ partition, record: { kind: 'Barrier', n, src, pos: record.pos, previous, ns: all, flow } })
    ;[previous, flow] = [record.pos, []]
  }
  return placed
}

const userIn = (record: Exclude<UserRecord, { kind: 'Barrier' | 'UserCorrection' }>) =>
  record.kind === 'UserReference' ? null : record.user

const sharesOf = (record: LogRecord, src: bigint): readonly UserRecord[] => {
  const head = { n: 0n, src, pos: record.pos }
  switch (record.kind) {
    case 'Output':
      return splitOutput(record.output).map(share => ({
        kind: 'UserOutput',
        ...head,
        time: record.output.time,
        ...share,
      }))
    case 'Reference':
      return [{ kind: 'UserReference', ...head, time: record.output.time, reference }]
    case 'Correction':
      return [{ kind: 'UserCorrection', ...head, command: record.command, correction: record.correction }]
    case 'Redrive':
      return [{ kind: 'UserRedrive', ...head, command: record.command, user: record.user }]
    default:
      return []
  }
}
