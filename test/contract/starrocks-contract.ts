import { beforeAll, describe, expect, test } from 'vitest'
import { checkDatabase } from '../../runtime/starrocks/check-database.ts'
import { migrateStarRocks } from '../../runtime/starrocks/migrate.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import { openStreamLoad } from '../../runtime/starrocks/stream-load.ts'
import type { LoadRequest, StreamLoadPort } from '../../runtime/starrocks/stream-load-port.ts'
import { migrations } from '../../schemas/starrocks/migrations.ts'
import { tableNamed, viewNames } from '../../schemas/starrocks/tables.ts'
import type { LocalStarRocks } from '../../sink-starrocks/load/testing/load-whole-topic.ts'
import { mysql2Client } from '../analysts/clients.ts'
import { fillForAnalysts, type NaiveWords, openSqlAt } from '../analysts/filled.ts'
import { questions } from '../analysts/page.ts'
import { expectAnswer, expectView } from '../analysts/same-answer.ts'

/** How long it may take until DDL is done; a real cluster makes tablets. */
const slowMs = 300_000

/** Largest and smallest values of every type that we use, and a text with everything that could be taken for a separator. */
const asset = {
  asset_id: '-2147483648',
  name: 'BTC "₿"\t\n\\N',
  decimals: '18',
  unit: '0.000000000000000001',
  pos: '9223372036854775807',
}
const posting = {
  user_id: '9223372036854775807',
  asset_id: '1',
  version: '1',
  time: '2023-11-14 22:13:20.000001',
  reason: 'Deposit',
  ref_id: '-9223372036854775808',
  delta_available: '99999999999999999999.999999999999999999',
  delta_frozen: '-99999999999999999999.999999999999999999',
  available: '0.000000000000000000',
  frozen: '0.000000000000000001',
  delta_available_units: '1',
  delta_frozen_units: '-1',
  available_units: '0',
  frozen_units: '0',
  pos: '1700000000000000',
  idx: '0',
}
type Row = Readonly<Record<string, string | null>>

/** What the load service and the analysts take for granted of a StarRocks, real or not. */
export const starrocksContract = (open: () => LocalStarRocks): void => {
  const database = `contract_${process.pid}`
  const owner = { database, stream: database, partitions: 3 }
  const openSql = (name?: string): SqlPort => openSqlAt(open(), name)
  const migrate = () => migrateStarRocks({ ...owner, openSql, replicationNum: 1, mode: 'apply' })
  const streamLoad = (over: { readonly password?: string; readonly compression?: 'gzip' } = {}): StreamLoadPort =>
    openStreamLoad({
      frontends: [`127.0.0.1:${open().feHttp}`],
      loadHosts: [`127.0.0.1:${open().beHttp}`],
      user: 'root',
      password: '',
      loadTimeoutMs: 60_000,
      compression: 'none',
      ...over,
    })
  let labels = 0
  const request = (table: 'assets' | 'ledger', rows: readonly Row[], over: Partial<LoadRequest> = {}): LoadRequest => ({
    database,
    table,
    label: `${database}_${++labels}`,
    columns: Object.keys(rows[0] ?? {}),
    form: 'enclosed',
    body: Buffer.from(rows.map(line).join('')),
    rows: rows.length,
    ...(table === 'assets' && { mergeCondition: 'pos' }),
    ...over,
  })
  const line = (row: Row): string =>
    `${Object.values(row)
      .map(value => (value === null ? '\\N' : `"${value.replaceAll('"', '""')}"`))
      .join('\t')}\n`
  const select = async (sql: string): Promise<readonly Record<string, string | null>[]> => {
    const port = openSql(database)
    try {
      const rows = await port.query(sql)
      return rows.map(row =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)])),
      )
    } finally {
      await port.close()
    }
  }
  const assets = () => select('SELECT * FROM assets ORDER BY asset_id')

  beforeAll(async () => {
    await migrate()
  }, slowMs)

  describe('schema', () => {
    test('every migration is taken, once; the check finds what they made', async () => {
      expect(await migrate()).toEqual([])
      const sql = openSql(database)
      await checkDatabase(sql, owner)
      expect(await sql.query('SELECT count(*) AS n FROM schema_version')).toEqual([{ n: String(migrations.length) }])
      await sql.close()
    })
  })

  describe('Stream Load', () => {
    test('keeps every value to the last digit, and text as it is', async () => {
      expect(await streamLoad().load(request('assets', [asset]))).toEqual({ kind: 'done' })
      expect(await streamLoad().load(request('ledger', [posting]))).toEqual({ kind: 'done' })
      expect(await assets()).toEqual([asset])
      expect(await select('SELECT * FROM ledger')).toEqual([posting])
      expect(Object.keys(posting)).toEqual(tableNamed('ledger').columns.map(({ name }) => name))
    })

    test('takes gzip', async () => {
      const packed = { ...asset, asset_id: '7', name: 'packed' }
      expect(await streamLoad({ compression: 'gzip' }).load(request('assets', [packed]))).toEqual({ kind: 'done' })
      expect(await select('SELECT name FROM assets WHERE asset_id = 7')).toEqual([{ name: 'packed' }])
    })

    test('the same rows again, under another label or the same one, change nothing', async () => {
      const before = await assets()
      const first = request('assets', [asset])
      expect(await streamLoad().load(first)).toEqual({ kind: 'done' })
      expect(await streamLoad().load(first)).toMatchObject({ kind: 'committed' })
      expect(await streamLoad().load(request('assets', [asset]))).toEqual({ kind: 'done' })
      expect(await assets()).toEqual(before)
    })

    test('a label tells what became of its load; one that never was is unknown', async () => {
      const load = request('assets', [asset])
      await streamLoad().load(load)
      expect(await streamLoad().labelState(load)).toEqual({ kind: 'done' })
      expect(await streamLoad().labelState({ database, label: 'never' })).toMatchObject({ kind: 'retry' })
    })

    test('by merge condition an older row does not replace a newer one; an equal one and a newer one do', async () => {
      const named = async (name: string, pos: string) => {
        const row = { ...asset, asset_id: '8', name, pos }
        expect(await streamLoad().load(request('assets', [row]))).toEqual({ kind: 'done' })
        return (await select('SELECT name FROM assets WHERE asset_id = 8'))[0]?.['name']
      }
      expect(await named('first', '10')).toBe('first')
      expect(await named('older', '9')).toBe('first')
      expect(await named('equal', '10')).toBe('equal')
      expect(await named('newer', '11')).toBe('newer')
    })

    test.each([
      ['a text where a number belongs', { decimals: 'eight' }],
      ['a number too large for its column', { asset_id: '2147483648' }],
      ['NULL where none may be', { decimals: null }],
    ])('%s refuses the load whole, and its label may be used again', async (_, wrong) => {
      const before = await assets()
      const good = { ...asset, asset_id: '9' }
      const load = request('assets', [good, { ...good, ...wrong }])
      expect(await streamLoad().load(load)).toMatchObject({ kind: 'refused' })
      expect(await assets()).toEqual(before)
      expect(await streamLoad().load({ ...load, ...request('assets', [asset]), label: load.label })).toEqual({
        kind: 'done',
      })
    })

    test('a missing table, a missing column and a wrong password are named as what they are', async () => {
      const load = request('assets', [asset])
      expect(await streamLoad().load({ ...load, table: 'nothing' })).toMatchObject({ code: 'starrocks-schema' })
      const foreign = request('assets', [{ ...asset, colour: 'red' }])
      expect(await streamLoad().load(foreign)).toMatchObject({ code: 'starrocks-schema' })
      expect(await streamLoad({ password: 'guessed' }).load(load)).toMatchObject({ code: 'starrocks-access' })
    })
  })

  describe('analysts', () => {
    const stream = `${database}_page`
    let naive: NaiveWords
    const onStream = async <T>(work: (sql: SqlPort) => Promise<T>): Promise<T> => {
      const sql = openSql(stream)
      try {
        return await work(sql)
      } finally {
        await sql.close()
      }
    }
    beforeAll(async () => {
      naive = await fillForAnalysts(open(), stream)
    }, slowMs)

    test(
      'every question of their page has the naive ledger’s answer',
      async () => {
        const page = await questions()
        const printed = await mysql2Client({ port: open().mysql, database: stream }, page)
        for (const [index, { title }] of page.entries())
          expectAnswer(title, printed[index] ?? [], naive.answers.get(title) ?? [])
      },
      slowMs,
    )

    test.each(viewNames)('every row of %s is the naive ledger’s', async view => {
      const rows = await onStream(sql => sql.query(`SELECT * FROM ${view}`))
      expect(rows.length).toBeGreaterThan(1)
      expectView(view, rows, naive.views.get(view) ?? [])
    })

    // The last one: it spoils what the others read.
    test('a balance that does not stand where its last posting left it is found, and money that came from nowhere', async () => {
      const page = await questions()
      const [wrong, money] = ['Does every balance', 'Is money conserved?'].map(
        start => page.find(({ title }) => title.startsWith(start))?.sql ?? '',
      )
      const counts = await onStream(async sql => {
        const counted: unknown[] = []
        for (const [index, change] of [
          'available_units = available_units + 1',
          'frozen_units = frozen_units + 1',
          '`version` = `version` + 1',
        ].entries()) {
          await sql.query(`UPDATE balances SET ${change} WHERE user_id = ${121 + index} AND asset_id = 2`)
          counted.push((await sql.query(wrong ?? ''))[0]?.['wrong'])
        }
        return counted.map(String)
      })
      expect(counts).toEqual(['1', '2', '3'])
      const differences = await onStream(sql => sql.query(money ?? ''))
      expect(differences.map(({ name, difference }) => `${String(name)} ${String(difference)}`)).toEqual([
        ...['BTC 0', 'ETH 0', 'EUR 2', 'Points 0', 'USD 0'],
      ])
    })
  })
}
