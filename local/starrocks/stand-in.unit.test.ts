import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectMysql, exchange, type Fixture, openFixture, putLoad, startHalfLoad } from './testing/fixture.ts'

let fixture: Fixture
let labels = 0

const nextLabel = (): string => `label-${(labels += 1)}`

const put = (table: string, rows: unknown, headers: Record<string, string> = {}) => {
  const body = typeof rows === 'string' || rows instanceof Uint8Array ? rows : JSON.stringify(rows)
  const options = { port: fixture.standIn.feHttpPort, into: `shop/${table}` }
  return putLoad({ ...options, headers: { label: nextLabel(), ...headers } }, body)
}

const loadState = async (label: string) => {
  const url = `http://127.0.0.1:${fixture.standIn.feHttpPort}/api/shop/get_load_state?label=${label}`
  const response = await fetch(url, { headers: { Authorization: 'Basic cm9vdDo=' } })
  return (await response.json()) as { state: string }
}

beforeAll(async () => {
  fixture = await openFixture({ STARROCKS_LABEL_KEEP_MAX_NUM: '50' })
  await fixture.query('CREATE DATABASE shop')
  await fixture.query('USE shop')
  await fixture.query(`CREATE TABLE things (
    id BIGINT NOT NULL, day DATETIME NOT NULL, pos BIGINT NULL, amount DECIMAL(38,18) NULL, huge LARGEINT NULL,
    small TINYINT NULL, name VARCHAR(8) NULL, yes BOOLEAN NULL, born DATE NULL, ratio DOUBLE NULL, kept INT NOT NULL DEFAULT "7"
  ) PRIMARY KEY (id, day) PARTITION BY date_trunc('day', day) DISTRIBUTED BY HASH (id) BUCKETS 2`)
})

afterAll(async () => fixture?.[Symbol.asyncDispose]())

const day = '2024-02-29 23:59:59.000001'

describe('stream load', () => {
  test('goes through the frontend’s 307, waits for 100 and is then there', async () => {
    const answer = await put('things', [{ id: 1, day, name: 'ï 🌳' }], { label: 'first' })
    expect(answer).toMatchObject({
      Status: 'Success',
      Message: 'OK',
      Label: 'first',
      NumberTotalRows: 1,
      NumberLoadedRows: 1,
    })
    expect(await fixture.query('SELECT id, day, name, kept FROM things WHERE id = 1')).toEqual([
      { id: '1', day, name: 'ï 🌳', kept: 7 },
    ])
    expect(await loadState('first')).toMatchObject({ state: 'VISIBLE', status: 'OK', msg: 'Success' })
    expect(await loadState('never')).toMatchObject({ state: 'UNKNOWN' })
  })

  test('the frontend refuses a request without Expect, and a wrong password', async () => {
    const url = `http://127.0.0.1:${fixture.standIn.feHttpPort}/api/shop/things/_stream_load`
    const plain = await fetch(url, { method: 'PUT', body: '[]', headers: { Authorization: 'Basic cm9vdDo=' } })
    expect(await plain.json()).toEqual({
      Status: 'FAILED',
      Message: 'class com.starrocks.common.DdlException: There is no 100-continue header',
    })
    const options = { port: fixture.standIn.feHttpPort, into: 'shop/things', authorization: 'Basic cm9vdDp4' }
    expect(await exchange(options, undefined)).toMatchObject({ status: 401, continued: false })
  })

  test('a label is used once: its second load is answered before any 100, an aborted one can be repeated', async () => {
    await put('things', [{ id: 2, day }], { label: 'once' })
    const options = { port: fixture.standIn.beHttpPort, into: 'shop/things', headers: { label: 'once' } }
    const again = await exchange(options, Buffer.from('[]'))
    expect(again.continued).toBe(false)
    expect(JSON.parse(again.text)).toMatchObject({
      Status: 'Label Already Exists',
      ExistingJobStatus: 'FINISHED',
      Message: 'Label [once] has already been used.',
    })
    expect((await put('things', [{ id: 'x', day }], { label: 'twice' })).Status).toBe('Fail')
    expect(await loadState('twice')).toMatchObject({ state: 'ABORTED' })
    expect((await put('things', [{ id: 3, day }], { label: 'twice' })).Status).toBe('Success')
  })

  test('labels are evicted by their count, oldest first', async () => {
    await put('things', [{ id: 4, day }], { label: 'evicted' })
    for (let round = 0; round < 50; round += 1) await put('things', [{ id: 4, day }])
    expect(await loadState('evicted')).toMatchObject({ state: 'UNKNOWN' })
  })

  test('a client that breaks off leaves nothing and its label free', async () => {
    const options = { port: fixture.standIn.beHttpPort, into: 'shop/things', headers: { label: 'cut' } }
    const half = await startHalfLoad(options)
    expect(await loadState('cut')).toMatchObject({ state: 'PREPARE' })
    const other = await exchange(options, Buffer.from('[]'))
    expect(JSON.parse(other.text)).toMatchObject({ Status: 'Label Already Exists', ExistingJobStatus: 'RUNNING' })
    half.cut()
    await expect.poll(() => loadState('cut')).toMatchObject({ state: 'ABORTED' })
  })

  test('numbers are exact to the last digit, as JSON numbers and as text', async () => {
    await put(
      'things',
      `[{"id":9223372036854775807,"day":"${day}","huge":170141183460469231731687303715884105727},
      {"id":"-9223372036854775808","day":"${day}","amount":"-99999999999999999999.999999999999999999"}]`,
    )
    expect(
      await fixture.query('SELECT id, amount, huge FROM things WHERE id > 9e18 OR id < -9e18 ORDER BY id'),
    ).toEqual([
      { id: '-9223372036854775808', amount: '-99999999999999999999.999999999999999999', huge: null },
      { id: '9223372036854775807', amount: null, huge: '170141183460469231731687303715884105727' },
    ])
  })

  test.each([
    ['a text in a BIGINT', { id: 'x' }, 'Column \'id\': "x" is not a BIGINT'],
    ['a fraction in a BIGINT', { pos: '1.5' }, 'Column \'pos\': "1.5" is not a BIGINT'],
    ['too large an integer', { small: 128 }, "Column 'small': 128 is out of the range of TINYINT"],
    [
      'more digits than the scale',
      { amount: '0.1234567890123456789' },
      'has more fractional digits than DECIMAL(38,18)',
    ],
    ['an unquoted fraction', { amount: 0.5 }, 'is an unquoted fraction'],
    ['too large a decimal', { amount: '100000000000000000000' }, 'is out of the range of DECIMAL(38,18)'],
    ['too long a text', { name: 'ääääc' }, 'is longer than VARCHAR(8): 9 bytes'],
    ['milliseconds for a DATETIME', { day: 1700000000000 }, 'is not a DATETIME'],
    ['a day that is not', { day: '2023-02-29 00:00:00' }, 'is not a valid DATETIME'],
    ['a time for a DATE', { born: '2023-02-28 00:00:00' }, 'is not a DATE'],
    ['an object in a column', { name: { a: 1 } }, 'is not a VARCHAR'],
    ['NULL in a NOT NULL column', { day: null }, "Column 'day' is NULL in a NOT NULL column"],
    ['a missing column', { day: undefined }, "Column 'day' is missing and has no default"],
    ['an unknown column', { colour: 1 }, "Unknown column 'colour'"],
  ])('%s refuses the whole load, with the row and the reason', async (_, fields, reason) => {
    const good = { id: 100, day }
    const answer = await put('things', [good, { ...good, id: 101, ...fields }])
    expect(answer).toMatchObject({
      Status: 'Fail',
      Message: 'too many filtered rows',
      NumberTotalRows: 2,
      NumberLoadedRows: 0,
      NumberFilteredRows: 1,
    })
    const log = await (await fetch(answer.ErrorURL ?? '')).text()
    expect(log).toContain(reason)
    expect(log).toContain('Row: {')
    expect(await fixture.query('SELECT count(*) AS n FROM things WHERE id IN (100, 101)')).toEqual([{ n: '0' }])
  })

  test('max_filter_ratio lets the good rows pass', async () => {
    const rows = [
      { id: 110, day },
      { id: 'x', day },
    ]
    const answer = await put('things', rows, { max_filter_ratio: '0.5' })
    expect(answer).toMatchObject({ Status: 'Success', NumberLoadedRows: 1, NumberFilteredRows: 1 })
  })

  test.each([
    ['[{"id":1]', 'row 1 is not closed'],
    ['{"id":1}', 'must be a JSON array'],
    ['[1]', 'row 1 is not an object'],
    ['[{"id":1},]', 'no row after it'],
    ['[{"id":1}{"id":2}]', "',' expected after row 1"],
    ['[]', 'No rows were imported from upstream'],
    [Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]), 'not valid UTF-8'],
  ])('the body %s is refused', async (body, reason) => {
    const answer = await put('things', body)
    expect(answer.Status).toBe('Fail')
    expect(answer.Message).toContain(reason)
  })

  test('CSV: order of columns, NULL, separators, quotes, a header, gzip', async () => {
    const columns = 'day, id, name, amount'
    const plain = `${day}\t200\t\\N\t1.25\n`
    expect((await put('things', plain, { format: 'csv', columns })).Status).toBe('Success')
    const quoted = `day,id,name,amount\r\n${day},201,"a ""b"", c",2\r\n`
    const headers = { column_separator: ',', row_delimiter: '\\r\\n', enclose: '"', escape: '"', skip_header: '1' }
    const options = { format: 'csv', columns, compression: 'gzip', ...headers }
    expect((await put('things', gzipSync(quoted), options)).Status).toBe('Success')
    expect(await fixture.query('SELECT id, name, amount, kept FROM things WHERE id IN (200, 201) ORDER BY id')).toEqual(
      [
        { id: '200', name: null, amount: '1.250000000000000000', kept: 7 },
        { id: '201', name: 'a "b", c', amount: '2.000000000000000000', kept: 7 },
      ],
    )
    const short = await put('things', '1\t2\n', { format: 'csv', columns })
    expect(short).toMatchObject({ Status: 'Fail', NumberFilteredRows: 1 })
    expect((await put('things', plain, { format: 'csv', columns: 'id' })).Message).toBe(
      'Column has no default value. column: day',
    )
  })
})

describe('primary keys', () => {
  interface Loaded {
    id: number
    pos: number
    name: string | null
  }

  const row = fc.record<Loaded>({
    id: fc.integer({ min: 0, max: 5 }),
    pos: fc.integer({ min: 0, max: 6 }),
    name: fc.option(fc.constantFrom('a', 'b')),
  })

  /** What StarRocks says of an upsert, told in the plainest way. */
  function apply(rows: Map<number, Loaded>, load: readonly Loaded[], mode: 'merge by pos' | 'last wins'): void {
    for (const next of load) {
      const there = rows.get(next.id)
      if (!there || mode === 'last wins' || next.pos >= there.pos) rows.set(next.id, next)
    }
  }

  test.each(['merge by pos', 'last wins'] as const)('rows fold as a map would: %s, replays included', async mode => {
    await fixture.query(
      'CREATE TABLE folded (id INT NOT NULL, pos BIGINT NOT NULL, name STRING) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)',
    )
    const headers = mode === 'merge by pos' ? { merge_condition: 'pos' } : {}
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(row, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 }),
        async loads => {
          await fixture.query('TRUNCATE TABLE folded')
          const model = new Map<number, Loaded>()
          for (const load of [...loads, loads[0] as Loaded[]]) {
            apply(model, load, mode)
            expect(await put('folded', load, headers)).toMatchObject({
              Status: 'Success',
              NumberLoadedRows: load.length,
            })
          }
          const rows = await fixture.query('SELECT id, pos, name FROM folded ORDER BY id')
          const expected = [...model.values()].sort((a, b) => a.id - b.id)
          expect(rows).toEqual(expected.map(({ id, pos, name }) => ({ id, pos: String(pos), name })))
        },
      ),
      { numRuns: 25 },
    )
    await fixture.query('DROP TABLE folded')
  })

  test('an impossible merge condition is refused by name', async () => {
    const rows = [{ id: 1, day }]
    expect((await put('things', rows, { merge_condition: 'nope' })).Message).toContain('column nope does not exist')
    expect((await put('things', rows, { merge_condition: 'id' })).Message).toContain('should not include primary key')
    expect((await put('things', rows, { merge_condition: 'name' })).Message).toContain('numeric or date')
  })

  test('many loads at once into one table all arrive', async () => {
    await fixture.query('CREATE TABLE busy (id INT NOT NULL, n INT) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)')
    const loads = Array.from({ length: 20 }, (_, load) =>
      put('busy', [
        { id: load, n: 1 },
        { id: 1000, n: load },
      ]),
    )
    expect((await Promise.all(loads)).map(answer => answer.Status)).toEqual(loads.map(() => 'Success'))
    expect(await fixture.query('SELECT count(*) AS n FROM busy')).toEqual([{ n: '21' }])
  })
})

const view = (every: string) => `DISTRIBUTED BY HASH (first) REFRESH ASYNC EVERY (INTERVAL ${every})
  PROPERTIES ("replication_num" = "1") AS SELECT min_by(price, id) AS first, max(price) AS high, count(*) FROM ticks`

describe('the MySQL door', () => {
  test('says what it is', async () => {
    const [version] = await fixture.query('SELECT @@version_comment')
    expect(version).toEqual({ '@@version_comment': 'StarRocks stand-in over DuckDB, not StarRocks' })
  })

  test('refuses a wrong password, an unknown database, and accepts the right password', async () => {
    const { mysqlPort } = fixture.standIn
    await expect(connectMysql(mysqlPort, { password: 'x' })).rejects.toMatchObject({ errno: 1045 })
    await expect(connectMysql(mysqlPort, { database: 'nope' })).rejects.toMatchObject({ errno: 1049 })
    await using locked = await openFixture({ STARROCKS_PASSWORD: 'geheim' })
    await expect(connectMysql(locked.standIn.mysqlPort)).rejects.toMatchObject({ errno: 1045 })
    await expect(connectMysql(locked.standIn.mysqlPort, { password: 'x' })).rejects.toMatchObject({ errno: 1045 })
    expect(await locked.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test.each([
    ['SELECT * FROM nope', 5502, 'Unknown table'],
    ['SELECT nope FROM things', 1064, "Column 'nope' cannot be resolved"],
    ['SELECT locate(1)', 1064, 'No matching function with signature: locate'],
    ['SELECT log(1)', 1235, 'log()'],
    ['SELECT 1 +', 1064, 'syntax'],
    ["SELECT 'x", 1064, 'not closed'],
    ['SELECT 1; SELECT 2', 1064, 'one statement at a time'],
    ["SELECT 'a' || 'b'", 1235, '||'],
    ["SELECT * FROM read_csv('/etc/passwd')", 1064, 'disabled'],
    ["ATTACH '/tmp/x.db'", 1235, 'ATTACH'],
    ['WITH x AS (SELECT 1) DELETE FROM things', 1235, 'changes something'],
    ['USE nope', 1049, 'nope'],
    ['CREATE DATABASE shop', 1007, 'database exists'],
    ['DROP TABLE nope', 1051, 'nope'],
    ['SELECT @@nope', 1193, 'nope'],
    ["SET time_zone = '+08:00'", 1235, 'time_zone'],
    ['EXPLAIN SELECT 1', 1235, 'EXPLAIN'],
  ])('%s → %i', async (sql, errno, message) => {
    await expect(fixture.query(sql)).rejects.toMatchObject({ errno, message: expect.stringContaining(message) })
  })

  test('a prepared statement is refused, and the connection lives on', async () => {
    await expect(fixture.mysql.execute('SELECT ?', [1])).rejects.toMatchObject({ errno: 1295 })
    expect(await fixture.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('rows can be changed by hand', async () => {
    await fixture.query(`INSERT INTO things (id, day, name) VALUES (300, '${day}', 'o\\'x "q"')`)
    await fixture.query("UPDATE things SET amount = '1.5' WHERE id = 300")
    expect(await fixture.query('SELECT name, amount FROM things WHERE id = 300')).toEqual([
      { name: 'o\'x "q"', amount: '1.500000000000000000' },
    ])
    await fixture.query('DELETE FROM things WHERE id = 300')
    expect(await fixture.query('SELECT id FROM things WHERE id = 300')).toEqual([])
  })

  test('information_schema tells the columns of a table', async () => {
    const rows =
      await fixture.query(`SELECT COLUMN_NAME, ORDINAL_POSITION, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, COLUMN_KEY
      FROM information_schema.columns WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'things' ORDER BY ORDINAL_POSITION LIMIT 4`)
    expect(rows.map(row => Object.values(row).join(' '))).toEqual([
      'id 1 bigint bigint(20) NO PRI',
      'day 2 datetime datetime NO PRI',
      'pos 3 bigint bigint(20) YES ',
      'amount 4 decimal decimal(38,18) YES ',
    ])
    expect(await fixture.query("SHOW TABLES LIKE 'thing_'")).toEqual([{ Tables_in_shop: 'things' }])
  })

  test('a result larger than any buffer streams through', async () => {
    const rows = await fixture.query("SELECT range AS n, repeat('x', 100) AS t FROM range(200000)")
    expect(rows).toHaveLength(200_000)
  })

  test('a materialized view is filled at once, again when asked, and on its timer', async () => {
    await fixture.query('CREATE TABLE ticks (id INT NOT NULL, price INT) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)')
    await put('ticks', [{ id: 1, price: 5 }])
    await fixture.query(`CREATE MATERIALIZED VIEW slow_candle ${view('1 DAY')}`)
    await fixture.query(`CREATE MATERIALIZED VIEW quick_candle ${view('1 SECOND')}`)
    expect(await fixture.query('SELECT * FROM slow_candle')).toEqual([{ first: 5, high: 5, 'count(*)': '1' }])
    await put('ticks', [{ id: 2, price: 9 }])
    await expect.poll(() => fixture.query('SELECT * FROM quick_candle'), { timeout: 5000 }).toMatchObject([{ high: 9 }])
    expect(await fixture.query('SELECT high FROM slow_candle')).toEqual([{ high: 5 }])
    await fixture.query('REFRESH MATERIALIZED VIEW slow_candle WITH SYNC MODE')
    expect(await fixture.query('SELECT high FROM slow_candle')).toEqual([{ high: 9 }])
    await expect(fixture.query(`CREATE MATERIALIZED VIEW bad ${view('1 DAY')} WHERE nope = 1`)).rejects.toMatchObject({
      errno: 1064,
    })
  })

  test('ADD COLUMN: old rows get the default, new loads must fit', async () => {
    await fixture.query('ALTER TABLE ticks ADD COLUMN note VARCHAR(3) NOT NULL DEFAULT "old" COMMENT "added"')
    expect(await fixture.query('SELECT note FROM ticks WHERE id = 1')).toEqual([{ note: 'old' }])
    expect((await put('ticks', [{ id: 1, price: 1, note: null }])).Status).toBe('Fail')
    expect((await put('ticks', [{ id: 1, price: 1, note: 'new' }])).Status).toBe('Success')
    await expect(fixture.query('ALTER TABLE ticks ADD COLUMN n INT NOT NULL')).rejects.toMatchObject({ errno: 1064 })
  })

  test('a dropped database leaves no label and no table', async () => {
    await fixture.query('CREATE DATABASE gone')
    await fixture.query('CREATE TABLE gone.t (id INT NOT NULL) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)')
    const options = { port: fixture.standIn.feHttpPort, into: 'gone/t', headers: { label: 'l' } }
    expect((await putLoad(options, '[{"id":1}]')).Status).toBe('Success')
    await fixture.query('DROP DATABASE gone')
    expect((await putLoad(options, '[{"id":1}]')).Message).toBe('unknown database, database=gone')
    await fixture.query('CREATE DATABASE gone')
    expect((await putLoad(options, '[{"id":1}]')).Message).toBe('unknown table, database=gone, table=t')
  })

  test('the project’s own tables and views are taken as they are', async () => {
    await fixture.query('CREATE DATABASE own')
    await fixture.query('USE own')
    const folder = join(import.meta.dirname, '../../schemas/starrocks')
    for (const file of readdirSync(folder)
      .filter(name => name.endsWith('.sql'))
      .sort()) {
      const text = readFileSync(join(folder, file), 'utf8')
      for (const statement of text.split(/;\s*$/m).filter(part => /\bCREATE\b/.test(part)))
        await fixture.query(statement)
    }
    expect(await fixture.query('SELECT * FROM candles_1m')).toEqual([])
  })
})
