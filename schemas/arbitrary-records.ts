import fc from 'fast-check'
import type { CommandRecord, EngineOutput, EnginePosition, LogRecord, Session, UserRecord } from '../core/events.ts'

const edge64 = [-(2n ** 63n), 2n ** 63n - 1n, -(2n ** 53n) - 1n, 2n ** 53n + 1n, -(2n ** 52n) - 1n, -1n, 0n, 1n]
const long = fc.oneof(fc.constantFrom(...edge64), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(-1000n, 1000n))
const u64 = fc.oneof(fc.constantFrom(0n, 1n, 2n ** 63n, 2n ** 64n - 1n), fc.bigInt(0n, 2n ** 64n - 1n))
const int = fc.oneof(fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 0), fc.integer())
const maxDecimal = 10n ** 38n - 1n
const decimal = fc.oneof(
  fc.constantFrom(maxDecimal, -maxDecimal, 0n, 127n, 128n, -128n, -129n, 255n, 256n),
  fc.bigInt(-maxDecimal, maxDecimal),
)
const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const few = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(item, { maxLength: 4 })
const chain = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => Buffer.from(bytes))

const order = fc.record({
  order: long,
  user: long,
  symbol: int,
  side: fc.constantFrom('Buy', 'Sell'),
  type: fc.constantFrom('Limit', 'Market'),
  timeInForce: fc.constantFrom('GoodTillCancel', 'ImmediateOrCancel'),
  price: long,
  quantity: long,
  filled: long,
  remaining: long,
  state: fc.constantFrom('New', 'PartiallyFilled', 'Filled', 'Cancelled', 'Rejected', 'Expired'),
  reason: text,
})
const trade = fc.record({
  trade: long,
  symbol: int,
  price: long,
  quantity: long,
  quote: long,
  buyer: long,
  seller: long,
  buyOrder: long,
  sellOrder: long,
  taker: fc.constantFrom('Buy', 'Sell'),
  buyFee: long,
  buyFeeAsset: int,
  sellFee: long,
  sellFeeAsset: int,
})
const values = {
  user: long,
  asset: int,
  available: long,
  frozen: long,
  deltaAvailable: long,
  deltaFrozen: long,
  version: long,
}
const change = fc.record({
  ...values,
  reason: fc.constantFrom('Deposit', 'Withdrawal', 'Correction', 'Reserve', 'Release', 'Trade', 'Fee'),
  ref: long,
})
const correction = fc.record(values)
const reference = fc.record({
  assets: few(fc.record({ asset: int, name: text, decimals: int })),
  symbols: few(
    fc.record({ symbol: int, name: text, base: int, quote: int, lot: long, priceScale: int, quantityScale: int }),
  ),
  house: long,
})
const command = fc.record({ id: text, who: text, why: text, time: long })
const output = fc.record({
  time: long,
  reference: fc.option(reference),
  orders: few(order),
  trades: few(trade),
  changes: few(change),
})
const position = fc.record({ epoch: u64, random: u64, seq: u64, chain })
const indexed = <T>(item: fc.Arbitrary<T>) => few(fc.record({ index: int, value: item }))
const head = { n: long, src: long, pos: long }
const logHead = { pos: long, at: position }
const kind = <K extends string>(name: K) => ({ kind: fc.constant(name) })

/** Any value of the schema, sensible or not: the codec knows types, not rules. */
export const anyEngineOutput = output as unknown as fc.Arbitrary<EngineOutput>
export const anyPosition: fc.Arbitrary<EnginePosition> = position
/** A session that began: its epoch is not 0. */
export const anySession: fc.Arbitrary<Session> = fc.record({ epoch: u64.filter(epoch => epoch > 0n), random: u64 })
export const anyU64 = u64
export const anyLong = long

export const anyLogRecord = fc.oneof(
  fc.record({ ...kind('Output'), ...logHead, output }),
  fc.record({ ...kind('Reference'), ...logHead, output }),
  fc.record({ ...kind('Session'), ...logHead }),
  fc.record({ ...kind('Tick'), ...logHead }),
  fc.record({ ...kind('Gap'), ...logHead, command, lostAfter: position }),
  fc.record({ ...kind('Correction'), ...logHead, command, correction }),
  fc.record({ ...kind('Admit'), ...logHead, command, refusedPos: long }),
  fc.record({ ...kind('Redrive'), ...logHead, command, user: long }),
  fc.record({ ...kind('Refused'), ...logHead, command, reason: text }),
  fc.record({ ...kind('Note'), ...logHead, command, text }),
) as unknown as fc.Arbitrary<LogRecord>

export const anyUserRecord = fc.oneof(
  fc.record({
    ...kind('UserOutput'),
    ...head,
    time: long,
    user: long,
    orders: indexed(order),
    trades: indexed(trade),
    changes: indexed(change),
  }),
  fc.record({ ...kind('UserCorrection'), ...head, command, correction }),
  fc.record({ ...kind('UserRedrive'), ...head, command, user: long }),
  fc.record({ ...kind('UserReference'), ...head, time: long, reference }),
  fc.record({
    ...kind('Barrier'),
    ...head,
    previous: long,
    ns: few(long),
    flow: few(fc.record({ asset: int, amount: decimal })),
  }),
) as unknown as fc.Arbitrary<UserRecord>

export const anyCommandRecord = fc.oneof(
  fc.record({ ...kind('Gap'), command, after: position, to: fc.option(position) }),
  fc.record({ ...kind('Correct'), command, correction }),
  fc.record({ ...kind('Admit'), command, refusedPos: long }),
  fc.record({ ...kind('Redrive'), command, user: long }),
  fc.record({ ...kind('Note'), command, text }),
) as unknown as fc.Arbitrary<CommandRecord>
