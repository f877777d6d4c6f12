import { beforeEach, describe, expect, test } from 'vitest'
import { amount, assetId, userId, version } from '../../core/ids.ts'
import { alice, btc, change, obedient, OperatorWorld } from '../testing/operator-world.ts'
import { type CorrectArguments, correctRequest } from './correct.ts'

const usdt = assetId(2)
const dry = { mode: 'dry-run' } as const
const correct = (at: bigint, available: bigint, frozen: bigint, over: Partial<CorrectArguments> = {}) =>
  correctRequest({
    user: alice,
    asset: 'BTC',
    version: version(at),
    available: amount(available),
    frozen: amount(frozen),
    ...over,
  })

/** The store has version 4; 5 to 9 are lost; the log goes on with 10, at which the user is parked. */
const holed = (): OperatorWorld => {
  const world = new OperatorWorld()
  world.output({ changes: [change([4n, 1000n, 50n], [1000n, 50n])] })
  world.balance(btc, [1000n, 50n, 4n])
  const at = world.output({ changes: [change([10n, 1700n, 0n], [200n, 0n])] })
  world.parked(at, btc, 10n)
  const bob = change([5n, 1n, 0n], [1n, 0n], { user: userId(8n) })
  world.output({ changes: [bob, change([11n, 1600n, 0n], [-100n, 0n])] })
  world.settled()
  return world
}
let world: OperatorWorld
beforeEach(() => {
  world = holed()
})

describe('a hole of several versions', () => {
  test('is shown before and after, in both units, with the external flow', async () => {
    const { out, exitCode } = await world.run(correct(9n, 1500n, 0n), dry)
    expect(exitCode).toBe(0)
    expect(out).toContain('Correction of user 7, asset BTC (1, 8 decimals)')
    expect(out).toMatch(/before\s+│\s+4 │\s+1000 │\s+50 │\s+0.00001000 │\s+0.00000050/)
    expect(out).toMatch(/after\s+│\s+9 │\s+1500 │\s+0 │\s+0.00001500 │\s+0.00000000/)
    expect(out).toMatch(/change\s+│\s+\+5 │\s+\+500 │\s+-50 │/)
    expect(out).toContain('External flow that it adds: +450 (0.00000450 BTC)')
    expect(out).toContain('Version 10 at pos 1700000000002000 waits for it and follows from it')
    expect(out).not.toContain('stays parked')
    expect(world.sent()).toEqual([])
  })

  test('is sent with deltas against the balance before it', async () => {
    const over = new AbortController()
    const bridge = world.bridge(obedient, over.signal)
    const { exitCode, out } = await world.run(correct(9n, 1500n, 0n, { asset: '1' }))
    over.abort()
    await bridge
    expect(exitCode).toBe(0)
    expect(out).toContain('done: user 7, asset 1 is corrected to version 9 (+500 available, -50 frozen)')
    expect(world.sent()).toMatchObject([
      { kind: 'Correct', correction: { user: 7n, asset: 1, version: 9n, deltaAvailable: 500n, deltaFrozen: -50n } },
    ])
  })

  test('that stands in the log already is not missing, though the store is behind', async () => {
    const command = { id: 'c-0', who: 'bob', why: 'x', time: 1n }
    const body = { user: alice, asset: btc, version: version(9n), available: amount(1500n), frozen: amount(0n) }
    const deltas = { deltaAvailable: amount(500n), deltaFrozen: amount(-50n) }
    world.log({ kind: 'Correction', command, correction: { ...body, ...deltas } })
    await expect(world.run(correct(9n, 1500n, 0n))).rejects.toMatchObject({
      code: 'nothing-missing',
      message: expect.stringContaining('the log leads to version 11, which settle has not applied yet'),
    })
  })

  test('is not closed by a Correction of the log that does not lead on', async () => {
    const command = { id: 'c-0', who: 'bob', why: 'x', time: 1n }
    const body = { user: alice, asset: btc, version: version(9n), available: amount(1500n), frozen: amount(0n) }
    const deltas = { deltaAvailable: amount(499n), deltaFrozen: amount(-50n) }
    world.log({ kind: 'Correction', command, correction: { ...body, ...deltas } })
    expect((await world.run(correct(9n, 1500n, 0n), dry)).exitCode).toBe(0)
  })

  test('is not closed by a Correction that passes over a version of the log', async () => {
    world.log({
      kind: 'Correction',
      command: { id: 'c-0', who: 'bob', why: 'x', time: 1n },
      correction: {
        ...{ user: alice, asset: btc, version: version(12n), available: amount(1500n), frozen: amount(0n) },
        ...{ deltaAvailable: amount(500n), deltaFrozen: amount(-50n) },
      },
    })
    expect((await world.run(correct(9n, 1500n, 0n), dry)).out).toMatch(/before\s+│\s+4 │/)
  })

  test('behind which another one stands is corrected from where the log stands by then', async () => {
    world.log({
      kind: 'Correction',
      command: { id: 'c-0', who: 'bob', why: 'x', time: 1n },
      correction: {
        ...{ user: alice, asset: btc, version: version(9n), available: amount(1500n), frozen: amount(0n) },
        ...{ deltaAvailable: amount(500n), deltaFrozen: amount(-50n) },
      },
    })
    world.output({ changes: [change([14n, 1650n, 0n], [10n, 0n])] })
    const { out } = await world.run(correct(13n, 1640n, 0n), dry)
    expect(out).toMatch(/in the store\s+│\s+4 │/)
    expect(out).toMatch(/before\s+│\s+11 │\s+1600 │/)
    expect(out).toContain('External flow that it adds: +40')
  })
})

describe('is refused', () => {
  test.each([
    ['values that the next change does not follow from', 9n, 1499n, 0n],
    ['too low a version', 8n, 1500n, 0n],
    ['a version that the log has', 10n, 1500n, 0n],
  ])('with %s, telling which would fit', async (_, at, available, frozen) => {
    await expect(world.run(correct(at, available, frozen))).rejects.toMatchObject({
      code: 'correction-misfit',
      reason: 'refused',
      message: expect.stringContaining('--version 9 --available 1500 --frozen 0'),
    })
    expect(world.sent()).toEqual([])
  })

  test.each([3n, 4n])('at version %s, which the store has', async at => {
    await expect(world.run(correct(at, 1500n, 0n))).rejects.toMatchObject({
      code: 'nothing-missing',
      message: expect.stringContaining('user 7, asset BTC (1): nothing is missing'),
    })
  })

  test('where the engine contradicts itself: nothing is missing', async () => {
    const other = new OperatorWorld()
    other.balance(btc, [1000n, 50n, 4n])
    const at = other.output({ changes: [change([5n, 1n, 0n], [7n, 0n])] })
    other.parked(at, btc, 5n)
    other.settled()
    await expect(other.run(correct(6n, 1n, 0n))).rejects.toMatchObject({ code: 'not-a-hole' })
  })

  test('for an asset that is not there, naming those that are: exit 2', async () => {
    await expect(world.run(correct(9n, 1500n, 0n, { asset: 'DOGE' }))).rejects.toMatchObject({
      code: 'asset-unknown',
      reason: 'usage',
      message: '--asset DOGE names no asset of this stream; its assets are: BTC (1), USDT (2)',
    })
  })

  test('before settle has an offset', async () => {
    world.broker.offsets('demo.settle', 'demo.user.outputs').clear()
    await expect(world.run(correct(9n, 1500n, 0n))).rejects.toMatchObject({ code: 'settle-uncommitted' })
  })
})

describe('a store that is behind the log', () => {
  test('misses nothing', async () => {
    const behind = new OperatorWorld()
    behind.output({ changes: [change([1n, 5n, 0n], [5n, 0n])] })
    behind.settled()
    behind.balance(btc, [5n, 0n, 1n])
    behind.output({ changes: [change([2n, 8n, 0n], [3n, 0n])] })
    await expect(behind.run(correct(2n, 8n, 0n, { ahead: true }))).rejects.toMatchObject({
      code: 'nothing-missing',
      message: expect.stringContaining('the log leads to version 2, which settle has not applied yet'),
    })
  })
})

describe('what no output waits for', () => {
  const quiet = (): OperatorWorld => {
    const made = new OperatorWorld()
    made.output({ changes: [change([1n, 5n, 0n], [5n, 0n])] })
    made.balance(btc, [5n, 0n, 1n])
    made.settled()
    return made
  }

  test('is refused, unless it is said', async () => {
    await expect(quiet().run(correct(2n, 9n, 0n))).rejects.toMatchObject({
      code: 'nothing-waits',
      message: expect.stringContaining('add --ahead'),
    })
    const { out, exitCode } = await quiet().run(correct(2n, 9n, 0n, { ahead: true }), dry)
    expect(exitCode).toBe(0)
    expect(out).toContain('NOTHING IN THE LOG SHOWS THAT A VERSION IS MISSING')
  })

  test('may be a balance that the store has not', async () => {
    const { out } = await quiet().run(correct(1n, 100n, 0n, { asset: 'USDT', ahead: true }), dry)
    expect(out).toMatch(/before\s+│\s+0 │\s+0 │\s+0 │\s+0.00 │/)
    expect(out).toContain('External flow that it adds: +100 (1.00 USDT)')
  })

  test('is a mistake to say where something waits: exit 2', async () => {
    await expect(world.run(correct(9n, 1500n, 0n, { ahead: true }))).rejects.toMatchObject({
      code: 'not-ahead',
      reason: 'usage',
    })
  })
})

test('another hole of the user is told, also where the parked row names one only', async () => {
  world.output({ changes: [change([3n, 7n, 0n], [7n, 0n], { asset: usdt })] })
  world.settled()
  const { out } = await world.run(correct(9n, 1500n, 0n), dry)
  expect(out).toContain('Asset 2 of the user stands at version 0 while version 3 waits')
})

test('the same id for another asset of equal amounts is a mistake', async () => {
  await world.run(correct(9n, 1500n, 0n), { waitMs: 0 })
  await expect(world.run(correct(9n, 1500n, 0n, { asset: 'USDT' }))).rejects.toMatchObject({ code: 'id-taken' })
  expect((await world.run(correct(9n, 1500n, 0n, { asset: '1' }), { waitMs: 0 })).out).toContain('was sent before')
})

test('a Correction of the same balance that no bridge has come to yet is waited for first', async () => {
  world.output({ changes: [change([3n, 7n, 0n], [7n, 0n], { asset: usdt })] })
  await world.run(correct(9n, 1500n, 0n), { waitMs: 0 })
  await expect(world.run(correct(9n, 1500n, 0n), { id: 'c-2' })).rejects.toMatchObject({ code: 'command-waits' })
  const other = correct(2n, 0n, 0n, { asset: 'USDT' })
  expect((await world.run(other, { id: 'c-3', waitMs: 0 })).exitCode).toBe(0)
})
