import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Stack, up } from '../../local/stack.ts'
import { compareWithEngine } from '../../sim/demo/compare-with-engine.ts'
import { readEngineDump } from '../../sim/demo/engine-dump.ts'
import type { Pipeline } from '../../sim/pipeline/pipeline.ts'
import { newPipeline, newStream } from '../pipeline/run-to-the-end.ts'
import { openStore } from '../pipeline/stack-clients.ts'

// A deposit, a reservation behind it in another asset, and another user's: the engine makes them and tells nobody.
const unsaid = ['5/1/1', '5/2/2', '9/3/2'] as const
const withinMs = 120_000
const said = ['--who', 'ann', '--why', 'INC-35: the engine skipped a version', '--json']

let stack: Stack
let stream: string
let pipeline: Pipeline
beforeAll(async () => {
  stack = await up()
  stream = newStream('parking')
  pipeline = await newPipeline(stack, {
    stream,
    engine: {
      ENGINE_SEED: '13',
      ENGINE_USERS: '40',
      ENGINE_ORDERS: '1500',
      ENGINE_SKIP_CHANGES: unsaid.join(),
    },
  })
  await pipeline.init()
  await pipeline.startAll()
  await Promise.race([pipeline.engine.done, pipeline.failure])
})
afterAll(async () => {
  await pipeline?.stopAll()
})

const settle = async (...args: readonly string[]) =>
  Promise.race([pipeline.settle(args, { withinMs: 2 * withinMs }), pipeline.failure])
const metric = async (name: string): Promise<number | undefined> =>
  (await pipeline.metrics('settle')).get(`settle_settle_${name}`)
const untilMetric = async (name: string, value: number): Promise<void> => {
  const found = () => Promise.race([metric(name), pipeline.failure])
  await expect.poll(found, { timeout: withinMs, interval: 100 }).toBe(value)
}

type Verified = {
  readonly differences: number
  readonly parkedBalances: number
  readonly coversLastOutput: boolean
  readonly tables: readonly { readonly place: string; readonly listed: readonly { readonly problem?: string }[] }[]
}
const verified = async (): Promise<Verified & { readonly exitCode: number }> => {
  const { exitCode, stdout, stderr } = await settle('verify', '--wait-ms', `${withinMs}`, '--json')
  if (stdout === '') throw new Error(stderr)
  return { ...(JSON.parse(stdout) as Verified), exitCode }
}
/** Whose balances or open orders in the store are not the engine's own. */
const usersUnlikeTheEngine = async (): Promise<readonly string[]> => {
  const store = await openStore(stack, stream)
  try {
    const { differences } = await compareWithEngine(store, await readEngineDump(pipeline.engine.dumpFile))
    return [...new Set(differences.map(each => /user \d+/.exec(each)?.[0] ?? each))].toSorted()
  } finally {
    await store.close()
  }
}

type Missing = Record<'asset' | 'version' | 'available' | 'frozen', number | string>
type Redrive = { readonly facts: { readonly heals: boolean; readonly missing: readonly Missing[] } }
const dryRedrive = async (user: string): Promise<Redrive['facts']> => {
  const { exitCode, stdout, stderr } = await settle('redrive', '--user', user, '--dry-run', ...said)
  expect(`${exitCode} ${stderr}`).toBe('0 ')
  return (JSON.parse(stdout) as Redrive).facts
}
const correct = async (user: string, { asset, version, available, frozen }: Missing): Promise<void> => {
  const values = { user, asset, version, available, frozen }
  const args = Object.entries(values).flatMap(([name, value]) => [`--${name}`, `${value}`])
  const { exitCode, stderr } = await settle('correct', ...args, ...said)
  expect(`${exitCode} ${stderr}`).toMatch(/^0 /)
}
const parkedBy = async (): Promise<readonly string[]> => {
  const { stdout } = await settle('status', '--json')
  const { scylla } = JSON.parse(stdout) as {
    readonly scylla: { readonly value: { readonly parked: readonly Record<'user' | 'asset' | 'version', string>[] } }
  }
  return scylla.value.parked.map(({ user, asset, version }) => `${user}/${asset}/${version}`).toSorted()
}

describe('an engine that skips versions', () => {
  test('parks exactly those users; all others, and every trade with them, are settled', async () => {
    await untilMetric('parked_users', 2)
    const { tables, ...result } = await verified()
    expect(result).toMatchObject({ exitCode: 1, differences: 3, coversLastOutput: true })
    // The log itself lacks them; every other place is what the log says.
    const problems = tables.flatMap(({ place, listed }) => listed.map(({ problem }) => `${place}: ${problem}`))
    expect(problems.toSorted()).toEqual([
      expect.stringContaining('Kafka: user 5, asset 1: version 1 is missing'),
      expect.stringContaining('Kafka: user 5, asset 2: version 2 is missing'),
      expect.stringContaining('Kafka: user 9, asset 3: version 2 is missing'),
    ])
    expect(await usersUnlikeTheEngine()).toEqual(['user 5', 'user 9'])
    expect(await parkedBy()).toEqual(['5/1/2', '9/3/3'])
  })

  test('leaves conservation green: parked users are in the sums', async () => {
    expect(await metric('conservation_alarm')).toBe(0)
    expect(await metric('intervals_total')).toBeGreaterThan(10)
    await untilMetric('intervals_open', 0)
  })

  test('settle verify tells that balances stand still', async () => {
    expect((await verified()).parkedBalances).toBeGreaterThan(0)
    expect((await settle('verify', '--wait-ms', `${withinMs}`)).stdout).toMatch(/balances of parked users stand still/)
  })

  test('settle started again finds them parked', async () => {
    await pipeline.restart('settle')
    await untilMetric('parked_users', 2)
    expect(await parkedBy()).toEqual(['5/1/2', '9/3/3'])
  })
})

describe('the operator', () => {
  test('is told by a redrive what is missing, and a redrive alone heals nobody', async () => {
    expect(await dryRedrive('9')).toMatchObject({ heals: false, missing: [{ asset: 3, version: '2' }] })
    expect((await settle('redrive', '--user', '9', ...said)).exitCode).toBe(0)
  })

  test('heals by the version that the engine has', async () => {
    const [missing] = (await dryRedrive('9')).missing
    await correct('9', missing as Missing)
    await untilMetric('parked_users', 1)
    expect(await metric('heals_total')).toBe(1)
    expect(await usersUnlikeTheEngine()).toEqual(['user 5'])
  })

  test('heals two holes by two corrections, with settle started again between them', async () => {
    const { missing } = await dryRedrive('5')
    expect(missing).toMatchObject([
      { asset: 1, version: '1' },
      { asset: 2, version: '2' },
    ])
    await correct('5', missing[0] as Missing)
    await pipeline.restart('settle')
    expect((await dryRedrive('5')).missing).toEqual(missing.slice(1))
    await correct('5', missing[1] as Missing)
    // Both are in the log: a redrive heals now, should the second correction not have done so yet.
    const redriven = await settle('redrive', '--user', '5', ...said)
    expect(redriven.exitCode === 0 || redriven.stdout.includes('not-parked')).toBe(true)
    await untilMetric('parked_users', 0)
  })

  test('ends with the balances of the engine’s own books, and all places equal', async () => {
    expect(await verified()).toMatchObject({ exitCode: 0, differences: 0, parkedBalances: 0, coversLastOutput: true })
    expect(await usersUnlikeTheEngine()).toEqual([])
    expect(await metric('conservation_alarm')).toBe(0)
    const again = await settle('redrive', '--user', '5', ...said)
    expect(again).toMatchObject({ exitCode: 3 })
    expect(again.stdout).toContain('not-parked')
    await pipeline.restart('settle')
    await untilMetric('parked_users', 0)
  })
})
