import { mkdtempSync } from 'node:fs'
import { cp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, types } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clean, type ServerRecord, type Stack, startServer, stopServer, up } from '../../local/stack.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import { namesOf } from '../../runtime/names.ts'
import { compareWithEngine } from '../../sim/demo/compare-with-engine.ts'
import { readEngineDump } from '../../sim/demo/engine-dump.ts'
import type { Pipeline } from '../../sim/pipeline/pipeline.ts'
import { newPipeline, newStream } from '../pipeline/run-to-the-end.ts'
import { openStore } from '../pipeline/stack-clients.ts'

const { localQuorum } = types.consistencies
/** The store's sync period, which is settle's too: what was written this long before a power loss may be gone. */
const syncMs = 10_000
/** A loss must be over this long after the copy was begun, or it would take more than a sync period. */
const lossMs = syncMs - 1000
const lossTries = 20
const withinMs = 120_000
const waiting = { timeout: withinMs, interval: 100 }

const losses = ['settle lives on', 'settle restarts'] as const

describe('a store whose node loses power', () => {
  // A stack of its own: its nodes are killed.
  const env = {
    ...process.env,
    SETTLE_DATA: mkdtempSync(join(tmpdir(), 'settle-power-')),
    STACK: 'local',
    CASSANDRA_COMMITLOG_SYNC_PERIOD_MS: `${syncMs}`,
  }
  let stack: Stack
  let stream: string
  let pipeline: Pipeline
  let store: CqlPort
  beforeAll(async () => {
    stack = await up({ env })
    stream = newStream('power')
    // More orders than there is time for: the engine is stopped.
    const engine = { ENGINE_SEED: '17', ENGINE_USERS: '40', ENGINE_ORDERS: '1000000', ENGINE_RATE: '60' }
    pipeline = await newPipeline(stack, { stream, engine })
    await pipeline.init()
    store = await openStore(stack, stream)
    await store.define('CREATE TABLE written (id bigint, PRIMARY KEY (id))')
    await pipeline.startAll()
  })
  afterAll(async () => {
    await pipeline?.stopAll()
    await store?.close()
    await clean({ env })
  })

  const metric = async (name: string): Promise<number> =>
    (await pipeline.metrics('settle')).get(`settle_settle_${name}`) ?? 0
  const recordsOf = (servers: readonly string[]): readonly ServerRecord[] =>
    stack.servers.filter(({ id }) => servers.includes(id))
  const allNodes = (): readonly string[] =>
    stack.servers.filter(({ server }) => server === 'cassandra').map(({ id }) => id)

  /** A row of our own that was acknowledged, as settle's beside it are; nobody writes it again. */
  let written = 0n
  const write = async (): Promise<void> => {
    written++
    await store.write([
      { cql: 'INSERT INTO written (id) VALUES (?) USING TIMESTAMP ?', params: [written, systemClock.nowUs()] },
    ])
  }

  /** Kills the nodes and puts back their commit logs of less than a sync period before. False: it took too long. */
  const losePower = async (ids: readonly string[]): Promise<boolean> => {
    const folders = recordsOf(ids).map(({ dir }) => ({
      log: join(dir, 'commitlog'),
      copy: join(dir, 'commitlog-before'),
    }))
    const startMs = systemClock.monotonicMs()
    await Promise.all(
      folders.map(async ({ log, copy }) => {
        await rm(copy, { recursive: true, force: true })
        await cp(log, copy, { recursive: true })
      }),
    )
    const rowsBefore = await metric('rows_total')
    // What is acknowledged from here on is in no copy.
    while ((await metric('rows_total')) < rowsBefore + 50 && systemClock.monotonicMs() - startMs < lossMs) await write()
    if (systemClock.monotonicMs() - startMs > lossMs) return false
    await Promise.all(ids.map(id => stopServer(id, { env, with: 'SIGKILL' })))
    const inTime = systemClock.monotonicMs() - startMs < syncMs
    if (!inTime) await Promise.all(ids.map(id => startServer(id, { env })))
    if (!inTime) return false
    for (const { log, copy } of folders) {
      await rm(log, { recursive: true })
      await rename(copy, log)
    }
    return true
  }

  /** How many of our rows after one are there. */
  const countRows = async (after: bigint): Promise<number> => {
    const { contactPoints, port, localDataCenter } = stack.cassandra
    const client = new Client({
      ...{ contactPoints, localDataCenter, protocolOptions: { port }, keyspace: namesOf(stream).keyspace },
      queryOptions: { consistency: localQuorum, fetchSize: 1_000_000 },
    })
    try {
      const { rows } = await client.execute('SELECT id FROM written')
      return rows.filter(row => BigInt(String(row['id'])) > after).length
    } finally {
      await client.shutdown()
    }
  }

  test('settle has committed, after a sync period: there is something that must not be lost', async () => {
    await expect.poll(() => metric('committed_pos'), waiting).toBeGreaterThan(0)
  })

  test.each(losses)('what was lost is repaired by replay while %s', async loss => {
    const ids = allNodes()
    const restarts = await metric('restarts_total')
    for (let lost = 0; lost === 0; ) {
      const before = written
      let tries = 0
      while (!(await losePower(ids))) expect(++tries).toBeLessThan(lossTries)
      const restarted = loss === 'settle restarts' ? restartSettle() : null
      await Promise.all(ids.map(id => startServer(id, { env })))
      await restarted
      lost = Number(written - before) - (await countRows(before))
      console.log(`${loss}: ${lost} of ${written - before} rows of our own lost`)
    }
    if (loss !== 'settle restarts') await expect.poll(() => metric('restarts_total'), waiting).toBeGreaterThan(restarts)
    const pos = await metric('last_pos')
    await expect.poll(() => metric('committed_pos'), waiting).toBeGreaterThan(pos)
  })

  /** It ends when it finds no store, and is started again by whoever runs it. */
  const restartSettle = async (): Promise<void> => {
    await pipeline.stop('settle')
    await expect.poll(() => pipeline.start('settle').then(() => 'started', String), waiting).toBe('started')
  }

  test('all places are equal in the end, and the store is what the engine says', async () => {
    await pipeline.stop('engine')
    const { exitCode, stdout, stderr } = await Promise.race([
      pipeline.settle(['verify', '--wait-ms', `${withinMs}`], { withinMs: 2 * withinMs }),
      pipeline.failure,
    ])
    expect(`${exitCode} ${stdout}${stderr}`).toMatch(/^0 [^]*covers the log's last Output[^]*verify: equal/)
    expect((await compareWithEngine(store, await readEngineDump(pipeline.engine.dumpFile))).differences).toEqual([])
    expect(await metric('conservation_alarm')).toBe(0)
  })
})
