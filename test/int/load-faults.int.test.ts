import * as fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Fixture, openFixture } from '../../local/starrocks/testing/fixture.ts'
import { migrateStarRocks } from '../../runtime/starrocks/migrate.ts'
import { openMysql } from '../../runtime/starrocks/mysql.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import { busyOutputs } from '../../sink-starrocks/load/testing/busy-outputs.ts'
import { loadWholeTopic } from '../../sink-starrocks/load/testing/load-whole-topic.ts'
import { userTopic } from '../../sink-starrocks/load/testing/user-topic.ts'

const partitions = 3
const outputs = busyOutputs(600)
const topic = userTopic(outputs, { partitions, barrierEvery: 20 })
/** Some batches of all tables, so that faults meet loads early and late. */
const rule = { ms: 300, rows: 1_000, bytes: 1_000_000 }

let starrocks: Fixture
let database = 0
const stream = (): string => `faults${database}`
const openSql = (name?: string): SqlPort =>
  openMysql({
    address: `127.0.0.1:${starrocks.standIn.mysqlPort}`,
    user: 'root',
    password: '',
    ...(name !== undefined && { database: name }),
  })
const load = (over: Pick<Parameters<typeof loadWholeTopic>[0], 'compression' | 'rule'> = {}): Promise<void> => {
  const { feHttpPort: feHttp, beHttpPort: beHttp, mysqlPort: mysql } = starrocks.standIn
  const doors = { feHttp, beHttp, mysql }
  return loadWholeTopic({ topic, stream: stream(), doors, fetchCount: 40, rule, ...over })
}
const tables = ['trades', 'user_trades', 'orders', 'order_events', 'ledger', 'balances', 'assets', 'symbols']
const contents = async (): Promise<unknown[]> => {
  const sql = openSql(stream())
  const rows = await Promise.all(tables.map(table => sql.query(`SELECT * FROM ${table} ORDER BY 1, 2, 3, 4`)))
  await sql.close()
  return rows
}
const migrate = () =>
  migrateStarRocks({ database: stream(), stream: stream(), partitions, openSql, replicationNum: 1, mode: 'apply' })
const struck = async (): Promise<Record<string, number>> =>
  ((await starrocks.admin('/')).body['faults'] as { struck: Record<string, number> }).struck

let calm: unknown[]
beforeAll(async () => {
  // Few labels are kept: a load whose answer was lost soon can't be asked after.
  starrocks = await openFixture({ STARROCKS_LABEL_KEEP_MAX_NUM: '8' })
  await migrate()
  await load()
  calm = await contents()
})
afterAll(async () => starrocks?.[Symbol.asyncDispose]())
beforeEach(async () => {
  database++
  await migrate()
})

it('what is loaded without any fault is what the engine said, by its count', () => {
  const counts = calm.map(rows => (rows as unknown[]).length)
  const { trades, orders, changes } = {
    trades: outputs.flatMap(each => each.trades).length,
    orders: outputs.flatMap(each => each.orders),
    changes: outputs.flatMap(each => each.changes),
  }
  expect(counts).toEqual([
    trades,
    trades * 2,
    new Set(orders.map(({ order }) => order)).size,
    orders.length,
    changes.length,
    new Set(changes.map(({ user, asset }) => `${user}/${asset}`)).size,
    2,
    1,
  ])
})

describe('the same rows, none twice and none missing, in spite of', () => {
  it.each([
    ['connections cut before the commit', { kind: 'drop-before-commit', times: 7 }],
    ['connections cut after the commit', { kind: 'drop-after-commit', times: 7 }],
    ['labels lost with the answer', { kind: 'lost-label', times: 7 }],
    ['a status that the backend does not know', { kind: 'unknown-status', times: 7 }],
    ['publications that time out', { kind: 'publish-timeout', ms: 300, times: 4 }],
    ['publications that take their time', { kind: 'publish-delay', ms: 200, times: 4 }],
    ['a slow backend', { kind: 'slow', ms: 150, times: 5 }],
    ['a full disk', { kind: 'full-disk', times: 10 }],
    ['balances that fail while all else is loaded', { kind: 'full-disk', times: 5, table: 'balances' }],
  ] as const)('%s', async (_, fault) => {
    const before = (await struck())[fault.kind] ?? 0
    await starrocks.admin('/faults', fault)
    await load()
    expect((await struck())[fault.kind]).toBe(before + fault.times)
    expect(await contents()).toEqual(calm)
  })

  it('a frontend that restarts', async () => {
    const loading = load({ rule: { ...rule, rows: 150 } })
    const sql = openSql(stream())
    await expect
      .poll(() => sql.query('SELECT 1 FROM trades LIMIT 1').then(rows => rows.length), { timeout: 30_000 })
      .toBe(1)
    await sql.close()
    starrocks.mysql.on('error', () => undefined)
    await starrocks.admin('/frontend/restart', { downMs: 500 })
    await loading
    expect(await contents()).toEqual(calm)
  })

  it('gzip', async () => {
    await load({ compression: 'gzip' })
    expect(await contents()).toEqual(calm)
  })

  it('a storm of all of them', async () => {
    const quick = fc.constantFrom(
      'drop-before-commit',
      'drop-after-commit',
      'lost-label',
      'unknown-status',
      'full-disk',
    )
    const slow = fc.constantFrom('publish-timeout', 'publish-delay', 'slow')
    const fault = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: quick, table: fc.constantFrom(...tables) }) },
      { weight: 1, arbitrary: fc.record({ kind: slow, ms: fc.integer({ min: 0, max: 150 }) }) },
    )
    const storm = fc.array(fault, { minLength: 15, maxLength: 25 })
    await fc.assert(
      fc.asyncProperty(storm, async faults => {
        database++
        await migrate()
        await starrocks.admin('/faults', faults)
        await load()
        await fetch(`http://127.0.0.1:${starrocks.standIn.adminPort}/faults`, { method: 'DELETE' })
        expect(await contents()).toEqual(calm)
      }),
      { numRuns: 1, endOnFailure: true },
    )
  }, 240_000)
})
