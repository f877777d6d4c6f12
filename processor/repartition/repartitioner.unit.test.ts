import { describe, expect, it } from 'vitest'
import type { BalanceChange, EngineOutput, LogRecord, OrderUpdate, ReferenceData } from '../../core/events.ts'
import { amount, assetId, orderId, pos, price, symbolId, userId, version } from '../../core/ids.ts'
import { partitionOf } from '../../core/partition.ts'
import { zeroChain } from '../../schemas/chain.ts'
import { emptyState, Repartitioner } from './repartitioner.ts'

const at = { epoch: 1n, random: 1n, seq: 1n, chain: zeroChain }
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
      lot: amount(1000n),
      priceScale: 2,
      quantityScale: 5,
    },
  ],
  house: userId(99n),
}
const nothing: EngineOutput = { time: 5n, reference: null, orders: [], trades: [], changes: [] }
const deposit = (user: bigint, value: bigint, over: Partial<BalanceChange> = {}): BalanceChange => ({
  user: userId(user),
  asset: assetId(1),
  deltaAvailable: amount(value),
  deltaFrozen: amount(0n),
  available: amount(value),
  frozen: amount(0n),
  version: version(1n),
  reason: 'Deposit',
  ref: 1n,
  ...over,
})
const output = (at_: bigint, changes: readonly BalanceChange[]): LogRecord => ({
  kind: 'Output',
  pos: pos(at_),
  at,
  output: { ...nothing, changes },
})
const cancelled = (symbol: number, state: OrderUpdate['state']): OrderUpdate => ({
  ...{ order: orderId(1n), user: userId(1n), symbol: symbolId(symbol), state },
  ...{ side: 'Buy', type: 'Limit', timeInForce: 'GoodTillCancel', reason: '' },
  ...{ price: price(5n), quantity: amount(10n), filled: amount(0n), remaining: amount(0n) },
})
const referenceRecord = (at_: bigint): LogRecord => ({
  kind: 'Reference',
  pos: pos(at_),
  at,
  output: { ...nothing, reference },
})
const tick = (at_: bigint): LogRecord => ({ kind: 'Tick', pos: pos(at_), at })

describe('a repartitioner', () => {
  it('numbers each partition densely, barriers included', () => {
    const it_ = new Repartitioner(emptyState(3))
    const records = [
      ...it_.take(0n, referenceRecord(10n)),
      ...it_.take(1n, output(11n, [deposit(1n, 5n), deposit(2n, 6n), deposit(3n, 7n)])),
      ...it_.barrier(),
      ...it_.take(2n, output(12n, [deposit(4n, 5n), deposit(5n, 6n)])),
    ]
    for (let partition = 0; partition < 3; partition++) {
      const ns = records.filter(placed => placed.partition === partition).map(placed => placed.record.n)
      expect(ns).toEqual(ns.map((_, i) => BigInt(i + 1)))
    }
    for (const { partition, record } of records)
      if (record.kind === 'UserOutput') expect(partition).toBe(partitionOf(record.user, 3))
  })

  it('gives the reference data to every partition', () => {
    const placed = new Repartitioner(emptyState(4)).take(0n, referenceRecord(10n))
    expect(placed.map(({ partition, record }) => [partition, record.kind])).toEqual(
      [0, 1, 2, 3].map(partition => [partition, 'UserReference']),
    )
  })

  it('puts the external flow since the last barrier into the next, and starts again', () => {
    const it_ = new Repartitioner(emptyState(1))
    it_.take(0n, output(11n, [deposit(1n, 5n)]))
    it_.take(1n, output(12n, [deposit(2n, -2n, { reason: 'Withdrawal' })]))
    const [first] = it_.barrier()
    expect(first?.record).toMatchObject({ pos: 12n, src: 1n, previous: 0n, flow: [{ asset: 1, amount: 3n }] })
    it_.take(2n, tick(13n))
    const [second] = it_.barrier()
    expect(second?.record).toMatchObject({ pos: 13n, src: 2n, previous: 12n, flow: [] })
  })

  it('has no barrier at a pos that has one', () => {
    const it_ = new Repartitioner(emptyState(1))
    expect(it_.barrierPossible).toBe(false)
    it_.take(0n, tick(13n))
    expect(it_.barrierPossible).toBe(true)
    it_.barrier()
    expect(it_.barrierPossible).toBe(false)
  })

  it('recomputes after a restart what the barrier before left open', () => {
    const whole = new Repartitioner(emptyState(2))
    whole.take(0n, output(11n, [deposit(1n, 5n)]))
    whole.barrier()
    whole.take(1n, output(12n, [deposit(2n, 6n)]))
    const restarted = new Repartitioner({ ns: [0n, 0n], barrier: { pos: pos(11n), src: 0n }, reference: null })
    restarted.note(1n, output(12n, [deposit(2n, 6n)]))
    const flows = [whole, restarted].map(one => one.barrier().map(({ record }) => 'flow' in record && record.flow))
    expect(flows[1]).toEqual(flows[0])
  })

  it('refuses what does not add up, names an asset nobody knows, or alters the reference', () => {
    const it_ = new Repartitioner({ ...emptyState(1), reference })
    expect(it_.refusal(output(11n, [deposit(1n, 5n)]))).toBeNull()
    expect(it_.refusal(output(11n, [deposit(1n, 5n, { reason: 'Trade' })]))).not.toBeNull()
    expect(it_.refusal(output(11n, [deposit(1n, 5n, { asset: assetId(7) })]))?.kind).toBe('unknown-asset')
    const altered = { ...reference, assets: reference.assets.map(asset => ({ ...asset, decimals: 2 })) }
    const record: LogRecord = { kind: 'Reference', pos: pos(12n), at, output: { ...nothing, reference: altered } }
    expect(it_.refusal(record)?.kind).toBe('Altered')
  })

  it('refuses an order of a symbol nobody knows, but for one that is rejected', () => {
    const it_ = new Repartitioner({ ...emptyState(1), reference })
    const order = (symbol: number, state: OrderUpdate['state']): LogRecord => ({
      ...{ kind: 'Output', pos: pos(11n), at },
      output: { ...nothing, orders: [cancelled(symbol, state)] },
    })
    expect(it_.refusal(order(1, 'Cancelled'))).toBeNull()
    expect(it_.refusal(order(2, 'Cancelled'))?.kind).toBe('unknown-symbol')
    expect(it_.refusal(order(2, 'Rejected'))).toBeNull()
  })
})
