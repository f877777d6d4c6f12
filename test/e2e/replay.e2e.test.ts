import { Client } from 'cassandra-driver'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Stack, up } from '../../local/stack.ts'
import type { ServiceName } from '../../sim/pipeline/services.ts'
import type { Pipeline } from '../../sim/pipeline/pipeline.ts'
import { namesOf } from '../../runtime/names.ts'
import { newPipeline, newStream } from '../pipeline/run-to-the-end.ts'
import { openStore } from '../pipeline/stack-clients.ts'

const said = ['--who', 'ann', '--why', 'INC-34: table restored', '--json']
const withinMs = 120_000

let stack: Stack
let stream: string
let pipeline: Pipeline
beforeAll(async () => {
  stack = await up()
  stream = newStream('replay')
  const engine = { ENGINE_SEED: '11', ENGINE_USERS: '40', ENGINE_ORDERS: '1500' }
  pipeline = await newPipeline(stack, { stream, engine })
  await pipeline.init()
  await pipeline.startAll()
  await Promise.race([pipeline.engine.done, pipeline.failure])
  // Every group has committed what it read: before that there is nothing to set back.
  const { exitCode, stdout, stderr } = await verified()
  if (exitCode !== 0) throw new Error(`settle verify: ${stdout}${stderr}`)
})
afterAll(async () => {
  await pipeline?.stopAll()
})

const verified = () =>
  Promise.race([
    pipeline.settle(['verify', '--wait-ms', `${withinMs}`, '--json'], { withinMs: 2 * withinMs }),
    pipeline.failure,
  ])

const replay = (group: string, to: string) =>
  pipeline.settle(['replay', '--group', group, '--to', to, ...said], { withinMs })

/** Sets a group back; its services have stopped. What the command said. */
const replayed = async (group: string, to: string): Promise<Record<string, unknown>> => {
  const { exitCode, stdout, stderr } = await replay(group, to)
  expect(`${exitCode} ${stderr}`).toMatch(/^0 /)
  const told = JSON.parse(stdout) as Record<string, unknown>
  expect(told).toMatchObject({ effect: `group ${stream}.${group} is set`, answer: { kind: 'Note' } })
  return told
}

/** Everything that the reset made the service read and write again. */
const rereads = async (service: ServiceName, metric: string, atLeast: number): Promise<void> => {
  await pipeline.start(service)
  await expect
    .poll(async () => (await pipeline.metrics(service)).get(metric) ?? 0, { timeout: withinMs, interval: 100 })
    .toBeGreaterThanOrEqual(atLeast)
}

/** By the driver itself: our own port refuses what is not stamped. */
const emptyBalances = async (): Promise<void> => {
  const { contactPoints, port, localDataCenter } = stack.cassandra
  const { keyspace } = namesOf(stream)
  const client = new Client({ contactPoints: [...contactPoints], localDataCenter, protocolOptions: { port }, keyspace })
  try {
    await client.execute('TRUNCATE balances')
  } finally {
    await client.shutdown()
  }
}

type Step = { readonly from: { readonly n: string; readonly pos: string }; readonly to: { readonly n: string } }
const stepsOf = (told: Record<string, unknown>): readonly Step[] =>
  (told['facts'] as { readonly partitions: readonly Step[] }).partitions
const recordsIn = (steps: readonly Step[]): number =>
  steps.reduce((sum, { from, to }) => sum + Number(from.n) - Number(to.n), 0)

test('a group with members is not set back', async () => {
  const busy = await replay('settle', 'start')
  expect(busy.exitCode).toBe(3)
  expect(busy.stderr).toMatch(new RegExp(`group ${stream}.settle has 1 members: ${stream}.settle at 127.0.0.1`))
})

test('settle from the first record, with its table of balances emptied before: everything is equal again', async () => {
  await pipeline.stop('settle')
  const told = await replayed('settle', 'start')
  await emptyBalances()
  await rereads('settle', 'settle_settle_records_total', recordsIn(stepsOf(told)))
  expect((await verified()).exitCode).toBe(0)
})

test('settle from the middle, to just after a barrier in all partitions', async () => {
  const store = await openStore(stack, stream)
  const rows = await store.query('SELECT DISTINCT barrier_pos FROM intervals', [])
  await store.close()
  const barriers = rows.map(row => row['barrier_pos'] as bigint).toSorted((a, b) => (a < b ? -1 : 1))
  const middle = barriers[Math.floor(barriers.length / 2)] as bigint
  await pipeline.stop('settle')
  const told = await replayed('settle', `${middle + 1n}`)
  expect(told).toMatchObject({ facts: { barrier: `${middle}` } })
  const records = recordsIn(stepsOf(told))
  expect(records).toBeGreaterThan(100)
  await rereads('settle', 'settle_settle_records_total', records)
  expect((await verified()).exitCode).toBe(0)
})

test('load and the archive from the first record', async () => {
  await Promise.all([pipeline.stop('load'), pipeline.stop('archive')])
  for (const group of ['load', 'archive', 'archive-log']) await replayed(group, 'start')
  await Promise.all([
    rereads('load', 'settle_load_records_total', 1000),
    rereads('archive', 'settle_archive_records_total', 2000),
  ])
  expect((await verified()).exitCode).toBe(0)
})
