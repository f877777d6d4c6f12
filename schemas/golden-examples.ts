import type {
  BalanceChange,
  Command,
  CommandRecord,
  CorrectionBody,
  EngineOutput,
  LogRecord,
  OrderUpdate,
  ReferenceData,
  Trade,
  UserRecord,
} from '../core/events.ts'
import { amount, assetId, orderId, pos, price, symbolId, tradeId, userId, version } from '../core/ids.ts'
import { nextChain, zeroChain } from './chain.ts'
import { encodeEngineOutput } from './codec.ts'
import type { BridgeFrame, EngineFrame } from './frames.ts'

// What the golden files hold: small and real where a reader of docs/protocol.md looks, and at the edges elsewhere.
const max64 = 2n ** 63n - 1n
const min64 = -(2n ** 63n)
const maxU64 = 2n ** 64n - 1n
const session = { epoch: 1n, random: 0x1122334455667788n }
const nextSession = { epoch: 2n, random: 0x99aabbccddeeff00n }
const time = 1_700_000_000_000_000n

const reference: ReferenceData = {
  assets: [
    { asset: assetId(1), name: 'BTC', decimals: 8 },
    { asset: assetId(2), name: 'USDT', decimals: 6 },
  ],
  symbols: [
    {
      symbol: symbolId(1),
      name: 'BTC-USDT',
      base: assetId(1),
      quote: assetId(2),
      lot: amount(10_000n),
      priceScale: 2,
      quantityScale: 4,
    },
  ],
  house: userId(1n),
}

const maker: OrderUpdate = {
  order: orderId(7n),
  user: userId(1001n),
  symbol: symbolId(1),
  side: 'Sell',
  type: 'Limit',
  timeInForce: 'GoodTillCancel',
  price: price(6_500_000n),
  quantity: amount(30_000n),
  filled: amount(20_000n),
  remaining: amount(10_000n),
  state: 'PartiallyFilled',
  reason: '',
}
const takerNew: OrderUpdate = {
  ...maker,
  order: orderId(8n),
  user: userId(1002n),
  side: 'Buy',
  timeInForce: 'ImmediateOrCancel',
  price: price(6_600_000n),
  quantity: amount(20_000n),
  filled: amount(0n),
  remaining: amount(20_000n),
  state: 'New',
}
const taker: OrderUpdate = { ...takerNew, filled: amount(20_000n), remaining: amount(0n), state: 'Filled' }
const trade: Trade = {
  trade: tradeId(3n),
  symbol: symbolId(1),
  price: price(6_500_000n),
  quantity: amount(20_000n),
  quote: amount(13_000_000n),
  buyer: userId(1002n),
  seller: userId(1001n),
  buyOrder: orderId(8n),
  sellOrder: orderId(7n),
  taker: 'Buy',
  buyFee: amount(20n),
  buyFeeAsset: assetId(1),
  sellFee: amount(6_500n),
  sellFeeAsset: assetId(2),
}
type Posting = readonly [
  user: bigint,
  asset: number,
  deltaAvailable: bigint,
  deltaFrozen: bigint,
  available: bigint,
  frozen: bigint,
  version: bigint,
]
const change = (reason: BalanceChange['reason'], ref: bigint, posting: Posting): BalanceChange => ({
  user: userId(posting[0]),
  asset: assetId(posting[1]),
  deltaAvailable: amount(posting[2]),
  deltaFrozen: amount(posting[3]),
  available: amount(posting[4]),
  frozen: amount(posting[5]),
  version: version(posting[6]),
  reason,
  ref,
})
const empty: EngineOutput = { time, reference: null, orders: [], trades: [], changes: [] }
const referenceOutput: EngineOutput = { ...empty, reference }
const depositOutput: EngineOutput = {
  ...empty,
  time: time + 1000n,
  changes: [change('Deposit', 501n, [1001n, 1, 50_000n, 0n, 50_000n, 0n, 1n])],
}
const tradeOutput: EngineOutput = {
  time: time + 2000n,
  reference: null,
  orders: [takerNew, maker, taker],
  trades: [trade],
  changes: [
    change('Reserve', 8n, [1002n, 2, -13_200_000n, 13_200_000n, 6_800_000n, 13_200_000n, 2n]),
    change('Trade', 3n, [1002n, 2, 0n, -13_000_000n, 6_800_000n, 200_000n, 3n]),
    change('Trade', 3n, [1002n, 1, 19_980n, 0n, 19_980n, 0n, 1n]),
    change('Trade', 3n, [1001n, 1, 0n, -20_000n, 20_000n, 10_000n, 3n]),
    change('Trade', 3n, [1001n, 2, 12_993_500n, 0n, 12_993_500n, 0n, 1n]),
    change('Fee', 3n, [1n, 1, 20n, 0n, 20n, 0n, 1n]),
    change('Fee', 3n, [1n, 2, 6_500n, 0n, 6_500n, 0n, 1n]),
    change('Release', 8n, [1002n, 2, 200_000n, -200_000n, 7_000_000n, 0n, 4n]),
  ],
}
/** Every enum symbol and both ends of every integer. */
const edgeOutput: EngineOutput = {
  time: max64,
  reference: null,
  orders: (['New', 'PartiallyFilled', 'Filled', 'Cancelled', 'Rejected', 'Expired'] as const).map((state, i) => ({
    ...maker,
    order: orderId(i % 2 === 0 ? max64 : min64),
    user: userId(i % 2 === 0 ? min64 : max64),
    symbol: symbolId(i % 2 === 0 ? 2 ** 31 - 1 : -(2 ** 31)),
    type: i % 2 === 0 ? 'Limit' : 'Market',
    state,
    reason: 'µ€😀',
  })),
  trades: [{ ...trade, trade: tradeId(max64), taker: 'Sell', quantity: amount(max64), quote: amount(min64) }],
  changes: (['Deposit', 'Withdrawal', 'Correction', 'Reserve', 'Release', 'Trade', 'Fee'] as const).map((reason, i) =>
    change(reason, i % 2 === 0 ? min64 : max64, [-1n, 0, min64, max64, -(2n ** 52n) - 1n, 2n ** 53n + 1n, max64]),
  ),
}

const payload = encodeEngineOutput(tradeOutput)
const chains = [zeroChain]
for (const output of [referenceOutput, depositOutput, tradeOutput])
  chains.push(nextChain(chains.at(-1) as Buffer, encodeEngineOutput(output)))
const positionAt = (seq: number) => ({ ...session, seq: BigInt(seq), chain: chains[seq] as Buffer })
const edgePosition = { epoch: maxU64, random: maxU64, seq: maxU64, chain: Buffer.alloc(32, 0xff) }
const at = positionAt(3)
const command: Command = { id: 'c-1', who: 'ann', why: 'ticket 17', time }
const correction: CorrectionBody = {
  user: userId(1001n),
  asset: assetId(1),
  version: version(4n),
  available: amount(min64),
  frozen: amount(max64),
  deltaAvailable: amount(max64),
  deltaFrozen: amount(min64),
}
const indexed = <T>(values: readonly T[]) => values.map((value, index) => ({ index, value }))
const head = { n: 12n, src: 9n, pos: pos(time + 5000n) }

export const engineOutputs: Readonly<Record<string, EngineOutput>> = {
  reference: referenceOutput,
  deposit: depositOutput,
  trade: tradeOutput,
  edge: edgeOutput,
}

/** One of each kind at least. */
export const logRecords: Readonly<Record<string, LogRecord>> = {
  Output: { kind: 'Output', pos: pos(time + 5000n), at, output: tradeOutput },
  'Output.edge': { kind: 'Output', pos: pos(max64), at: edgePosition, output: edgeOutput },
  Reference: { kind: 'Reference', pos: pos(time + 1n), at: positionAt(1), output: referenceOutput },
  Session: { kind: 'Session', pos: pos(time), at: { ...session, seq: 0n, chain: zeroChain } },
  Tick: { kind: 'Tick', pos: pos(time + 6000n), at },
  Gap: { kind: 'Gap', pos: pos(time + 7000n), at: edgePosition, command, lostAfter: at },
  Correction: { kind: 'Correction', pos: pos(time + 8000n), at, command, correction },
  Admit: { kind: 'Admit', pos: pos(time + 9000n), at, command, refusedPos: pos(time + 5000n) },
  Redrive: { kind: 'Redrive', pos: pos(time + 10_000n), at, command, user: userId(1001n) },
  Refused: { kind: 'Refused', pos: pos(time + 11_000n), at, command, reason: 'id c-1 was seen before' },
  Note: { kind: 'Note', pos: pos(min64), at, command, text: 'replayed 3 … 9' },
}

/** One of each kind at least. */
export const userRecords: Readonly<Record<string, UserRecord>> = {
  UserOutput: {
    ...head,
    kind: 'UserOutput',
    time: tradeOutput.time,
    user: userId(1001n),
    orders: [{ index: 1, value: maker }],
    trades: [{ index: 0, value: trade }],
    changes: [3, 4].map(index => ({ index, value: tradeOutput.changes[index] as BalanceChange })),
  },
  'UserOutput.edge': {
    n: max64,
    src: min64,
    pos: pos(max64),
    kind: 'UserOutput',
    time: min64,
    user: userId(min64),
    orders: indexed(edgeOutput.orders),
    trades: indexed(edgeOutput.trades),
    changes: indexed(edgeOutput.changes),
  },
  UserCorrection: { ...head, kind: 'UserCorrection', command, correction },
  UserRedrive: { ...head, kind: 'UserRedrive', command, user: userId(1001n) },
  UserReference: { ...head, kind: 'UserReference', time, reference },
  Barrier: {
    ...head,
    kind: 'Barrier',
    previous: pos(time),
    ns: [12n, 1n, max64],
    flow: [
      { asset: assetId(1), amount: 50_000n },
      { asset: assetId(2), amount: 10n ** 38n - 1n },
      { asset: assetId(3), amount: -(10n ** 38n) + 1n },
      { asset: assetId(4), amount: -1n },
      { asset: assetId(5), amount: 128n },
    ],
  },
}

/** One of each kind at least. */
export const commandRecords: Readonly<Record<string, CommandRecord>> = {
  Gap: { kind: 'Gap', command, after: at, to: edgePosition },
  'Gap.open': { kind: 'Gap', command, after: edgePosition, to: null },
  Correct: { kind: 'Correct', command, correction },
  Admit: { kind: 'Admit', command, refusedPos: pos(max64) },
  Redrive: { kind: 'Redrive', command, user: userId(max64) },
  Note: { kind: 'Note', command, text: 'replayed 3 … 9' },
}

export const engineFrames: Readonly<Record<string, EngineFrame>> = {
  OUT: { kind: 'OUT', at, payload },
  'OUT.reference': { kind: 'OUT', at: positionAt(1), payload: encodeEngineOutput(referenceOutput) },
  'OUT.deposit': { kind: 'OUT', at: positionAt(2), payload: encodeEngineOutput(depositOutput) },
  HBT: { kind: 'HBT', at, clockUs: time + 3000n },
  EOS: { kind: 'EOS', at },
  'END.live': { kind: 'END', at, over: false, next: null },
  'END.over': { kind: 'END', at, over: true, next: nextSession },
  TRIMMED: { kind: 'TRIMMED', at: positionAt(2) },
}

export const bridgeFrames: Readonly<Record<string, BridgeFrame>> = {
  REPLAY: { kind: 'REPLAY', session, from: 2n, to: 3n },
  'REPLAY.oldest': { kind: 'REPLAY', session: null, from: 1n, to: 0n },
  ACK: { kind: 'ACK', stream: 'main', session, seq: 3n },
}
