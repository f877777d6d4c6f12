import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EngineOutput, OrderUpdate } from '../../core/events.ts'
import { remainingOf } from './book/open-order.ts'
import type { MatchingEngine } from './matching-engine.ts'
import { drain, outputsOf, testProducer } from './testing/test-flow.ts'

const seeds = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const external = new Set(['Deposit', 'Withdrawal'])

const run = (seed: bigint, orders = 300): { readonly outputs: EngineOutput[]; readonly engine: MatchingEngine } => {
  const producer = testProducer({ seed, orders })
  return { outputs: outputsOf(drain(producer)), engine: producer.engine }
}
const onAnySeed = (check: (world: ReturnType<typeof run>) => void): void =>
  fc.assert(
    fc.property(seeds, seed => check(run(seed))),
    { numRuns: 12 },
  )

const addTo = <K>(sums: Map<K, bigint>, key: K, value: bigint): void =>
  void sums.set(key, (sums.get(key) ?? 0n) + value)

describe('money', () => {
  it('is neither made nor lost within an output', () =>
    onAnySeed(({ outputs }) => {
      for (const { changes } of outputs) {
        const sums = new Map<number, bigint>()
        for (const { asset, deltaAvailable, deltaFrozen, reason } of changes)
          if (!external.has(reason)) addTo(sums, asset, deltaAvailable + deltaFrozen)
        assert.ok([...sums.values()].every(sum => sum === 0n))
      }
    }))

  it('is, in all accounts together, what was deposited and not withdrawn', () =>
    onAnySeed(({ outputs, engine }) => {
      const flow = new Map<number, bigint>()
      const held = new Map<number, bigint>()
      for (const { asset, deltaAvailable, reason } of outputs.flatMap(({ changes }) => changes))
        if (external.has(reason)) addTo(flow, asset, deltaAvailable)
      for (const { asset, available, frozen } of engine.accounts.rows()) addTo(held, asset, available + frozen)
      expect(held).toEqual(flow)
    }))

  it('follows from the changes alone: versions without holes, values after, nothing below zero', () =>
    onAnySeed(({ outputs }) => {
      const cells = new Map<string, { available: bigint; frozen: bigint; version: bigint }>()
      for (const change of outputs.flatMap(({ changes }) => changes)) {
        const key = `${change.user}/${change.asset}`
        const before = cells.get(key) ?? { available: 0n, frozen: 0n, version: 0n }
        const after = {
          available: before.available + change.deltaAvailable,
          frozen: before.frozen + change.deltaFrozen,
          version: before.version + 1n,
        }
        assert.equal(change.available, after.available)
        assert.equal(change.frozen, after.frozen)
        assert.equal(change.version, after.version)
        assert.ok(after.available >= 0n && after.frozen >= 0n)
        assert.ok(change.deltaAvailable !== 0n || change.deltaFrozen !== 0n)
        cells.set(key, after)
      }
    }))

  it('is frozen exactly for what open orders may still need', () =>
    onAnySeed(({ engine }) => {
      const needed = new Map<string, bigint>()
      for (const order of engine.orders.all()) {
        const { base, quote, lot } = engine.tradedOf(order)
        const units = order.side === 'Sell' ? remainingOf(order) : (order.price * remainingOf(order)) / lot
        addTo(needed, `${order.user}/${order.side === 'Sell' ? base : quote}`, units)
      }
      const frozen = engine.accounts.rows().filter(row => row.frozen > 0n)
      expect(new Map(frozen.map(row => [`${row.user}/${row.asset}`, row.frozen]))).toEqual(needed)
    }))
})

describe('trades', () => {
  it('have dense ids, exact quotes, two sides, and postings net of fees', () =>
    onAnySeed(({ outputs }) => {
      let last = 0n
      for (const { trades, changes } of outputs)
        for (const trade of trades) {
          assert.equal(trade.trade, ++last)
          assert.notEqual(trade.buyer, trade.seller)
          const legs = changes.filter(({ reason, ref }) => reason === 'Trade' && ref === trade.trade)
          const total = (user: bigint, asset: number): bigint =>
            legs
              .filter(leg => leg.user === user && leg.asset === asset)
              .reduce((sum, leg) => sum + leg.deltaAvailable + leg.deltaFrozen, 0n)
          assert.equal(total(trade.buyer, trade.buyFeeAsset), trade.quantity - trade.buyFee)
          assert.equal(total(trade.buyer, trade.sellFeeAsset), 0n - trade.quote)
          assert.equal(total(trade.seller, trade.buyFeeAsset), 0n - trade.quantity)
          assert.equal(total(trade.seller, trade.sellFeeAsset), trade.quote - trade.sellFee)
        }
    }))
})

describe('orders', () => {
  it('begin New or Rejected, change at most once more in an output, and never after they closed', () =>
    onAnySeed(({ outputs }) => {
      const known = new Map<bigint, OrderUpdate>()
      let lastOrder = 0n
      for (const { orders } of outputs) {
        const touched = new Map<bigint, number>()
        for (const update of orders) {
          const before = known.get(update.order)
          if (before) assert.ok(['New', 'PartiallyFilled'].includes(before.state))
          else {
            assert.ok(['New', 'Rejected'].includes(update.state))
            assert.equal(update.order, ++lastOrder)
          }
          const isOpen = update.state === 'New' || update.state === 'PartiallyFilled'
          assert.equal(update.remaining, isOpen ? update.quantity - update.filled : 0n)
          assert.ok(update.filled >= (before?.filled ?? 0n))
          touched.set(update.order, (touched.get(update.order) ?? 0) + 1)
          known.set(update.order, update)
        }
        for (const count of touched.values()) assert.ok(count <= 2)
      }
    }))

  it('are filled by trades and nothing else', () =>
    onAnySeed(({ outputs }) => {
      const traded = new Map<bigint, bigint>()
      const filled = new Map<bigint, bigint>()
      for (const { trades, orders } of outputs) {
        for (const { buyOrder, sellOrder, quantity } of trades)
          for (const order of [buyOrder, sellOrder]) addTo(traded, order, quantity)
        for (const { order, filled: total } of orders) if (total > 0n) filled.set(order, total)
      }
      expect(filled).toEqual(traded)
    }))

  it('of every kind and ending occur', () => {
    const { outputs, engine } = run(7n, 3_000)
    expect(Object.entries(engine.ledger.orderStates).filter(([, count]) => count === 0n)).toEqual([])
    const reasons = new Set(outputs.flatMap(({ changes }) => changes).map(({ reason }) => reason))
    expect([...reasons].sort()).toEqual(['Deposit', 'Fee', 'Release', 'Reserve', 'Trade', 'Withdrawal'])
    const updates = outputs.flatMap(({ orders }) => orders)
    expect(new Set(updates.map(({ type }) => type)).size).toBe(2)
    expect(new Set(updates.map(({ reason }) => reason))).toEqual(
      new Set([
        '',
        'bad lot',
        'unknown symbol',
        'insufficient funds',
        'cancelled by user',
        'good till time',
        'immediate or cancel',
        'self-trade',
        'reduced to nothing',
        'no liquidity',
      ]),
    )
  })
})
