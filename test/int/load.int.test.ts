import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { EngineOutput } from '../../core/events.ts'
import { isOpen } from '../../core/order-lifecycle.ts'
import { history } from '../../core/testing/history.ts'
import { parseSettings } from '../../local/starrocks/settings.ts'
import { type StandIn, startStandIn } from '../../local/starrocks/stand-in.ts'
import { checkDatabase } from '../../runtime/starrocks/check-database.ts'
import { migrateStarRocks } from '../../runtime/starrocks/migrate.ts'
import { openMysql } from '../../runtime/starrocks/mysql.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import { openStreamLoad } from '../../runtime/starrocks/stream-load.ts'
import type { LoadRequest, StreamLoadPort } from '../../runtime/starrocks/stream-load-port.ts'
import { viewNames } from '../../schemas/starrocks/tables.ts'
import { loadWholeTopic } from '../../sink-starrocks/load/testing/load-whole-topic.ts'
import { userTopic } from '../../sink-starrocks/load/testing/user-topic.ts'

const partitions = 3
let directory: string
let standIn: StandIn
let database = 0

const access = { user: 'root', password: '' }
const openSql = (name?: string): SqlPort =>
  openMysql({ address: `127.0.0.1:${standIn.mysqlPort}`, ...access, ...(name !== undefined && { database: name }) })
const streamLoad = (): StreamLoadPort =>
  openStreamLoad({
    frontends: [`127.0.0.1:${standIn.feHttpPort}`],
    loadHosts: [`127.0.0.1:${standIn.beHttpPort}`],
    ...access,
    loadTimeoutMs: 20_000,
    compression: 'none',
  })
const stream = (): string => `load${database}`
const owner = () => ({ database: stream(), stream: stream(), partitions })
const migrate = (mode: 'apply' | 'plan' = 'apply', stranger = owner()) =>
  migrateStarRocks({ ...stranger, openSql, replicationNum: 1, mode })

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'settle-load-'))
  standIn = await startStandIn(
    parseSettings({
      STARROCKS_DIR: directory,
      STARROCKS_FE_HTTP_PORT: '0',
      STARROCKS_BE_HTTP_PORT: '0',
      STARROCKS_MYSQL_PORT: '0',
    }),
  )
})
afterAll(async () => {
  await standIn?.[Symbol.asyncDispose]()
  if (directory) await rm(directory, { recursive: true, force: true })
})
beforeEach(() => {
  database++
})

describe('migrations', () => {
  it('make every table, say what they did, and do nothing the second time', async () => {
    const planned = await migrate('plan')
    expect(planned).toEqual([
      `create database ${stream()}`,
      `apply 001-tables.sql to ${stream()}`,
      `apply 002-views.sql to ${stream()}`,
    ])
    expect(await migrate()).toEqual(planned)
    expect(await migrate()).toEqual([])
    const sql = openSql(stream())
    await checkDatabase(sql, owner())
    await sql.close()
  })

  it('refuse a database of another stream or another number of partitions', async () => {
    await migrate()
    await expect(migrate('apply', { ...owner(), stream: 'other' })).rejects.toMatchObject({
      code: 'database-foreign',
      message: expect.stringContaining(`made for stream ${stream()}, the settings say other`),
    })
    await expect(migrate('apply', { ...owner(), partitions: 7 })).rejects.toThrow(/partitions 3, the settings say 7/)
  })

  it('and the check name what is missing, edited or drifted', async () => {
    const without = openSql()
    await expect(checkDatabase(openSql('nowhere'), { ...owner(), database: 'nowhere' })).rejects.toMatchObject({
      code: 'schema-missing',
      message: expect.stringContaining('no database nowhere; run: settle init'),
    })
    await without.query(`CREATE DATABASE ${stream()}`)
    await without.close()
    const sql = openSql(stream())
    const check = () => checkDatabase(sql, owner())
    await expect(check()).rejects.toThrow(/migration 001-tables.sql is not applied; run: settle init/)
    await migrate()
    await check()
    await sql.query('ALTER TABLE trades ADD COLUMN note VARCHAR(10) NULL')
    await check()
    await sql.query("ALTER TABLE trades ADD COLUMN must VARCHAR(10) NOT NULL DEFAULT ''")
    await expect(check()).rejects.toMatchObject({
      code: 'schema-drift',
      message: expect.stringMatching(/trades, column must: expected no such column.*found varchar\(10\) NOT NULL/),
    })
    await sql.query('DROP TABLE trades')
    await sql.query('CREATE TABLE trades (trade_id INT NOT NULL) PRIMARY KEY (trade_id) DISTRIBUTED BY HASH (trade_id)')
    await expect(check()).rejects.toThrow(/trades, column trade_id: expected bigint NOT NULL, found int NOT NULL/)
    await sql.query("UPDATE schema_version SET sha256 = 'x' WHERE `version` = 1")
    await expect(check()).rejects.toMatchObject({ code: 'schema-edited' })
    await expect(migrate()).rejects.toMatchObject({ code: 'schema-edited' })
    await sql.close()
  })
})

describe('Stream Load', () => {
  const request = (rows: readonly Readonly<Record<string, string>>[], label: string): LoadRequest => ({
    database: stream(),
    table: 'assets',
    label,
    columns: Object.keys(asset),
    form: 'enclosed',
    body: Buffer.from(rows.map(row => Object.values(row).map(quotedText).join('\t')).join('\n')),
    rows: rows.length,
    mergeCondition: 'pos',
  })
  const quotedText = (text: string): string => `"${text.replaceAll('"', '""')}"`
  const asset = {
    asset_id: '1',
    name: 'BTC "₿"\t\n',
    decimals: '8',
    unit: '0.000000010000000000',
    pos: '9223372036854775807',
  }

  it('loads, knows its label again, and reads the rows back exactly', async () => {
    await migrate()
    const port = streamLoad()
    expect(await port.load(request([asset], 'first'))).toEqual({ kind: 'done' })
    expect(await port.load(request([asset], 'first'))).toMatchObject({ kind: 'committed' })
    expect(await port.load(request([{ ...asset, name: 'old', pos: '1' }], 'older'))).toEqual({ kind: 'done' })
    expect(await port.labelState({ database: stream(), label: 'first' })).toEqual({ kind: 'done' })
    expect(await port.labelState({ database: stream(), label: 'never' })).toMatchObject({ kind: 'retry' })
    const sql = openSql(stream())
    expect(await sql.query('SELECT * FROM assets')).toEqual([{ ...asset, asset_id: 1, decimals: 8 }])
    await sql.close()
  })

  it('is refused with row, column and reason', async () => {
    await migrate()
    const verdict = await streamLoad().load(request([asset, { ...asset, asset_id: 'many' }], 'bad'))
    expect(verdict).toMatchObject({ kind: 'refused', reason: expect.stringContaining('too many filtered rows') })
    expect((verdict as { detail: string }).detail).toMatch(/asset_id.*many/)
  })

  it('names a missing table and wrong credentials as what they are', async () => {
    await migrate()
    expect(await streamLoad().load({ ...request([asset], 'x'), table: 'nothing' })).toMatchObject({
      kind: 'fatal',
      code: 'starrocks-schema',
    })
    const stranger = openStreamLoad({
      frontends: [`127.0.0.1:${standIn.feHttpPort}`],
      loadHosts: [`127.0.0.1:${standIn.beHttpPort}`],
      user: 'root',
      password: 'guessed',
      loadTimeoutMs: 5_000,
      compression: 'none',
    })
    expect(await stranger.load(request([asset], 'y'))).toMatchObject({ kind: 'fatal', code: 'starrocks-access' })
  })
})

/** A log in which users trade, pay fees and leave orders open. */
const asksForEverything = (outputs: readonly EngineOutput[]): boolean => {
  const last = new Map(outputs.flatMap(each => each.orders).map(order => [order.order, order]))
  const fees = outputs.flatMap(each => each.changes).filter(change => change.reason === 'Fee')
  return fees.length > 0 && [...last.values()].some(order => isOpen(order.state))
}

describe('the service', () => {
  const outputs = fc.sample(history, { numRuns: 200, seed: 20 }).find(asksForEverything) as EngineOutput[]

  const load = (fetchCount: number): Promise<unknown> =>
    loadWholeTopic({
      topic: userTopic(outputs, { partitions, barrierEvery: 5 }),
      stream: stream(),
      doors: { feHttp: standIn.feHttpPort, beHttp: standIn.beHttpPort, mysql: standIn.mysqlPort },
      fetchCount,
      rule: { ms: 20, rows: 100, bytes: 100_000 },
    })

  it('fills the tables with exact amounts, and a second time changes nothing', async () => {
    await migrate()
    const sql = openSql(stream())
    await load(20)
    const tables = ['trades', 'user_trades', 'orders', 'order_events', 'ledger', 'balances', 'assets', 'symbols']
    const contents = () => Promise.all(tables.map(table => sql.query(`SELECT * FROM ${table} ORDER BY 1, 2, 3, 4`)))
    const first = await contents()
    const trades = outputs.flatMap(each => each.trades)
    expect(trades.length).toBeGreaterThan(0)
    const [trade] = first[0] as readonly Record<string, unknown>[]
    const made = trades[0]
    expect(trade).toMatchObject({
      trade_id: `${made?.trade}`,
      quantity_units: `${made?.quantity}`,
      // 8 decimals of the base, 2 of the quote, a lot of 10: the price is in thousandths of millions.
      quantity: `0.0000${String(made?.quantity).padStart(4, '0')}0000000000`,
      time: expect.stringMatching(/^2023-11-14 22:13:20\.\d{6}$/),
    })
    const sums = await sql.query(
      "SELECT sum(CAST(delta_available_units + delta_frozen_units AS LARGEINT)) AS total FROM ledger WHERE reason IN ('Trade', 'Fee', 'Reserve', 'Release')",
    )
    expect(sums).toEqual([{ total: '0' }])
    for (const view of viewNames) await sql.query(`REFRESH MATERIALIZED VIEW ${view} WITH SYNC MODE`)
    expect((await sql.query('SELECT sum(trade_count) AS n FROM candles_1m'))[0]).toEqual({ n: String(trades.length) })
    expect((await sql.query('SELECT * FROM daily_volume')).length).toBe(1)
    await load(3)
    expect(await contents()).toEqual(first)
    const streamed: unknown[] = []
    for await (const row of sql.stream('SELECT * FROM ledger ORDER BY 1, 2, 3, 4')) streamed.push(row)
    expect(streamed).toEqual(first[4])
    await sql.close()
  })
})
