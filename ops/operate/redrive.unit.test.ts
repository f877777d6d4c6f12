import { describe, expect, test } from 'vitest'
import { amount, assetId, userId, version } from '../../core/ids.ts'
import { alice, btc, change, obedient, OperatorWorld } from '../testing/operator-world.ts'
import { redriveRequest } from './redrive.ts'

const usdt = assetId(2)
const dry = { mode: 'dry-run' } as const
const json = { ...dry, format: 'json' } as const
const redrive = redriveRequest({ user: alice })

/** The store has version 1; `lost` is in no record, or is in the log; the user is parked at the version after it. */
const parkedAt = ({ lost }: { readonly lost: boolean }): OperatorWorld => {
  const world = new OperatorWorld()
  const first = world.output({ changes: [change([1n, 5n, 0n], [5n, 0n])] })
  world.balance(btc, [5n, 0n, 1n], { at: first })
  if (!lost) world.output({ changes: [change([2n, 8n, 0n], [3n, 0n])] })
  const refused = world.output({ changes: [change([3n, 9n, 0n], [1n, 0n])] })
  world.parked(refused, btc, 3n)
  world.settled()
  return world
}

describe('a user whose records are all in the log', () => {
  test('is healed by a redrive, the plan says so', async () => {
    const world = parkedAt({ lost: false })
    const { out, exitCode } = await world.run(redrive, dry)
    expect(exitCode).toBe(0)
    expect(out).toContain('User 7 is parked')
    expect(out).toMatch(/BTC \(1\) │\s+3 │\s+1700000000003000 │ VersionAhead │\s+1 │\s+3 /)
    expect(out).toContain('A redrive heals the user')
    expect(world.sent()).toEqual([])
    expect(JSON.parse((await world.run(redrive, json)).out)).toMatchObject({
      sent: 'no',
      command: { kind: 'Redrive', user: '7' },
      facts: { heals: true, readFrom: 'cells', missing: [], contradicts: [] },
    })
  })

  test('is redriven by a command with who and why', async () => {
    const world = parkedAt({ lost: false })
    const over = new AbortController()
    const bridge = world.bridge(obedient, over.signal)
    const { exitCode, out } = await world.run(redrive)
    over.abort()
    await bridge
    expect(exitCode).toBe(0)
    expect(out).toContain('done: settle reads the log again for user 7')
    expect(world.sent()).toMatchObject([
      { kind: 'Redrive', user: 7n, command: { id: 'c-1', who: 'ann', why: 'INC-1' } },
    ])
  })

  test('also when the asset has no cell yet: the log is read from its beginning', async () => {
    const world = new OperatorWorld()
    world.output({ changes: [change([1n, 4n, 0n], [4n, 0n], { asset: usdt })] })
    const later = world.output({ changes: [change([1n, 5n, 0n], [5n, 0n])] })
    world.balance(btc, [5n, 0n, 1n], { at: later })
    const refused = world.output({ changes: [change([2n, 6n, 0n], [2n, 0n], { asset: usdt })] })
    world.parked(refused, usdt, 2n)
    world.settled()
    expect((await world.run(redrive, dry)).out).toContain('A redrive heals the user')
  })
})

describe('a user of whom a version is missing', () => {
  test('is not healed; which one it is and the correction that fits are told', async () => {
    const { out, exitCode } = await parkedAt({ lost: true }).run(redrive, dry)
    expect(exitCode).toBe(0)
    expect(out).toContain('Asset BTC (1): version 2 is missing, version 3 at pos 1700000000002000 waits')
    expect(out).toContain('settle correct --user 7 --asset BTC --version 2 --available 8 --frozen 0')
    expect(out).toContain('DOES NOT heal the user')
    expect(JSON.parse((await parkedAt({ lost: true }).run(redrive, json)).out).facts).toMatchObject({
      heals: false,
      missing: [{ asset: 1, from: '2', version: '2', available: '8', frozen: '0' }],
    })
  })

  test('is healed once the log has its Correction', async () => {
    const world = parkedAt({ lost: true })
    world.log({
      kind: 'Correction',
      command: { id: 'c-0', who: 'bob', why: 'x', time: 1n },
      correction: {
        ...{ user: alice, asset: btc, version: version(2n), available: amount(8n), frozen: amount(0n) },
        ...{ deltaAvailable: amount(3n), deltaFrozen: amount(0n) },
      },
    })
    expect((await world.run(redrive, dry)).out).toContain('A redrive heals the user')
  })

  test('in another asset is not healed either', async () => {
    const world = parkedAt({ lost: false })
    world.output({ changes: [change([3n, 7n, 0n], [7n, 0n], { asset: usdt })] })
    const { out } = await world.run(redrive, dry)
    expect(out).toContain('Asset USDT (2): versions 1 to 2 are missing')
    expect(out).toContain('DOES NOT heal the user')
  })
})

test('an engine that contradicts itself is named', async () => {
  const world = new OperatorWorld()
  const first = world.output({ changes: [change([1n, 5n, 0n], [5n, 0n])] })
  world.balance(btc, [5n, 0n, 1n], { at: first })
  world.parked(world.output({ changes: [change([2n, 9n, 0n], [3n, 0n])] }), btc, 2n)
  world.settled()
  const { out } = await world.run(redrive, dry)
  expect(out).toContain('Asset BTC (1): version 2 at pos 1700000000002000 does not follow from version 1')
  expect(out).toContain('DOES NOT heal the user')
})

describe('is refused', () => {
  test('for a user that is not parked, or no longer: a row stays when its user is healed', async () => {
    const world = parkedAt({ lost: false })
    await expect(world.run(redriveRequest({ user: userId(8n) }))).rejects.toMatchObject({ code: 'not-parked' })
    world.balance(btc, [9n, 0n, 3n], { at: 1_700_000_000_009_000n })
    await expect(world.run(redrive)).rejects.toMatchObject({
      code: 'not-parked',
      message: expect.stringContaining('user 7 is not parked'),
    })
    expect(world.sent()).toEqual([])
  })

  test('while another one of the user waits for a bridge', async () => {
    const world = parkedAt({ lost: false })
    await world.run(redrive, { waitMs: 0 })
    await expect(world.run(redrive, { id: 'c-2' })).rejects.toMatchObject({ code: 'command-waits' })
  })

  test('under the id of another command', async () => {
    const world = parkedAt({ lost: false })
    await world.run(redrive, { waitMs: 0 })
    await expect(world.run(redriveRequest({ user: userId(8n) }))).rejects.toMatchObject({ code: 'id-taken' })
  })
})
