import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { up } from '../../local/stack.ts'
import { expectedFacts, storedFacts, unequalIntervals } from '../../processor/settle/testing/settled-world.ts'
import { bucketRules } from '../../schemas/cql/placement.ts'
import { ServiceProcess } from '../../sim/pipeline/service-process.ts'
import { serviceEntries } from '../../sim/pipeline/services.ts'
import { systemClock } from '../../runtime/clock.ts'
import { newStream } from '../pipeline/run-to-the-end.ts'
import { UserStream } from '../pipeline/user-stream.ts'
import { type NodeName, Ring } from './ring.ts'

const partitions = 3
const readyMs = 60_000
const stopMs = 25_000
const tables = ['balances', 'history', 'history_buckets', 'orders', 'open_orders', 'trades', 'intervals']

/** A stream and its settle. Each loss of power hits two: of one settle lives on, the other's dies with the power. */
type Settled = { readonly stream: UserStream; settle: ServiceProcess }

let ring: Ring
let livesOn: Settled
let restarts: Settled
const streams: UserStream[] = []

beforeAll(async () => {
  const [{ kafka }] = await Promise.all([up({ servers: ['kafka'] }), Ring.up().then(started => (ring = started))])
  const open = async (word: string): Promise<UserStream> => {
    const stream = await UserStream.open({ kafka, cassandra: ring.cassandra }, { stream: newStream(word), partitions })
    streams.push(stream)
    return stream
  }
  const [one, other] = [await open('power_lives_on'), await open('power_restarts')]
  livesOn = { stream: one, settle: await startSettle(one) }
  restarts = { stream: other, settle: await startSettle(other) }
  await livesOn.stream.cql.define('CREATE TABLE witnesses (id bigint, PRIMARY KEY (id))')
  // There is a committed offset to go back to.
  await trade()
  await committed()
})
afterAll(async () => {
  for (const each of [livesOn, restarts]) await each?.settle.kill()
  for (const stream of streams) await stream.close()
  await ring?.end()
})

const committed = (): Promise<unknown> => Promise.all(streams.map(stream => stream.committed()))

const startSettle = async (stream: UserStream): Promise<ServiceProcess> => {
  const { service } = await ServiceProcess.start({
    ...{ name: 'settle', entry: serviceEntries.settle, readyWithinMs: readyMs },
    logFile: join(ring.dir, `${stream.names.stream}.log`),
    env: { ...stream.environment, COMMIT_INTERVAL_MS: '100', STORE_SYNC_MARGIN_MS: '500' },
    isReady: ({ msg }) => msg === 'started',
  })
  return service
}

let parts = 0
/** One more part of each stream, with some barriers. */
const trade = async (): Promise<void> => {
  parts++
  await Promise.all(
    streams.map(async stream => {
      stream.trade(40, parts)
      await stream.send()
    }),
  )
}

let written = 0n
/** Rows of ours beside settle's, at its consistency, that nobody ever writes or reads again: they tell what a node lost. */
const writeWitnesses = async (): Promise<readonly bigint[]> => {
  const ids = Array.from({ length: 10 }, () => ++written)
  const cql = 'INSERT INTO witnesses (id) VALUES (?) USING TIMESTAMP ?'
  for (const id of ids) await livesOn.stream.cql.write([{ cql, params: [id, systemClock.nowUs()] }])
  return ids
}

/**
 * Power goes at those nodes just after something was acknowledged, and comes back at some of them; resolves when all
 * offsets are committed past it. Until then the store is not read: that would repair it.
 * @returns the witnesses that were acknowledged last
 */
const loseAndReplay = async (
  lost: readonly [NodeName, ...NodeName[]],
  back: readonly [NodeName, ...NodeName[]],
): Promise<readonly bigint[]> => {
  let witnesses: readonly bigint[] = []
  await ring.losePower(lost, async () => {
    // Twice: whoever does not wait for the sync has committed the first part before the second is acknowledged.
    for (let part = 0; part < 2; part++) {
      await trade()
      await Promise.all(streams.map(stream => stream.settled()))
    }
    witnesses = await writeWitnesses()
  })
  await restarts.settle.kill()
  // It tries to write this while the nodes are away.
  await trade()
  await ring.start(back)
  restarts.settle = await startSettle(restarts.stream)
  await committed()
  return witnesses
}

/** What must be there, history and all, comes from the engine's outputs by the naive ledger. */
const expectAllThere = async (from: 'quorum' | 'the one'): Promise<void> => {
  for (const stream of streams) {
    const found = await ring.read(stream.names.keyspace, tables, from)
    expect(storedFacts(found)).toEqual(expectedFacts(stream.topic, bucketRules))
    expect(unequalIntervals(found, partitions)).toEqual([])
  }
}

const witnessesAmong = async (ids: readonly bigint[], from: 'quorum' | 'the one'): Promise<readonly bigint[]> => {
  const found = await ring.read(livesOn.stream.names.keyspace, ['witnesses'], from)
  return found.rows('witnesses').flatMap(({ id }) => (typeof id === 'bigint' && ids.includes(id) ? [id] : []))
}

test('all nodes lose power, two of them come back: the quorum lost what was acknowledged, and has it again', async () => {
  const witnesses = await loseAndReplay(['cassandra-1', 'cassandra-2', 'cassandra-3'], ['cassandra-1', 'cassandra-2'])
  expect(await witnessesAmong(witnesses, 'quorum')).toEqual([])
  await expectAllThere('quorum')
})

// The third is still down: what is acknowledged is on the two others, and must be again when one of them has lost it.
test('one node alone loses power: it lost what was acknowledged, and has it again', async () => {
  const witnesses = await loseAndReplay(['cassandra-1'], ['cassandra-1'])
  for (const { settle } of [livesOn, restarts])
    expect(await settle.stop({ withinMs: stopMs })).toMatchObject({ code: 0 })
  await ring.stop('cassandra-2')
  expect(await witnessesAmong(witnesses, 'the one')).toEqual([])
  await expectAllThere('the one')
})
