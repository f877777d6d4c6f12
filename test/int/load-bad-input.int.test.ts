import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { UserRecord } from '../../core/events.ts'
import { type Fixture, openFixture } from '../../local/starrocks/testing/fixture.ts'
import { systemClock } from '../../runtime/clock.ts'
import { migrateStarRocks } from '../../runtime/starrocks/migrate.ts'
import { encodeUserRecord } from '../../schemas/codec.ts'
import { migrations } from '../../schemas/starrocks/migrations.ts'
import { busyOutputs } from '../../sink-starrocks/load/testing/busy-outputs.ts'
import { FakeKafka } from '../../sink-starrocks/load/testing/fake-kafka.ts'
import { type LocalStarRocks, loadWholeTopic } from '../../sink-starrocks/load/testing/load-whole-topic.ts'
import { userTopic } from '../../sink-starrocks/load/testing/user-topic.ts'
import { openSqlAt } from '../analysts/filled.ts'

const partitions = 2
const topic = userTopic(busyOutputs(200), { partitions, barrierEvery: 50 })

let starrocks: Fixture
let doors: LocalStarRocks
let database = 0
const stream = (): string => `bad${database}`

const load = async (kafka: FakeKafka): Promise<unknown> =>
  await loadWholeTopic({ topic, stream: stream(), doors, kafka }).then(
    () => 'loaded',
    (error: unknown) => error,
  )
const kafkaOf = (records: readonly (readonly UserRecord[])[], encode = encodeUserRecord): FakeKafka =>
  new FakeKafka(records, { clock: systemClock, fetchCount: () => 1000, encode })
const query = async (sql: string): Promise<readonly object[]> => {
  const port = openSqlAt(doors, stream())
  try {
    return await port.query(sql)
  } finally {
    await port.close()
  }
}
/** The table as it was made, but for what an operator has changed since. */
const remake = async (table: string, change: (ddl: string) => string): Promise<void> => {
  const ddl = migrations.flatMap(each => each.statements).find(each => each.includes(`EXISTS ${table} (`)) ?? ''
  expect(change(ddl)).not.toBe(ddl)
  await query(`DROP TABLE ${table}`)
  await query(change(ddl))
}
const committed = (kafka: FakeKafka): bigint[] => [...kafka.offsets.values()].map(({ offset }) => offset)

beforeAll(async () => {
  starrocks = await openFixture()
  const { feHttpPort: feHttp, beHttpPort: beHttp, mysqlPort: mysql } = starrocks.standIn
  doors = { feHttp, beHttp, mysql }
})
afterAll(async () => starrocks?.[Symbol.asyncDispose]())
beforeEach(async () => {
  database++
  const owner = { database: stream(), stream: stream(), partitions }
  await migrateStarRocks({ ...owner, openSql: name => openSqlAt(doors, name), replicationNum: 1, mode: 'apply' })
})

describe('a table that was changed while the service ran', () => {
  it.each([
    [
      'a column is missing',
      (ddl: string) => ddl.replace(/,\n {2}idx INT[^\n]*/, ''),
      'starrocks-schema',
      /Unknown column 'idx'/,
    ],
    [
      'a type no longer fits',
      (ddl: string) => ddl.replace('price_units BIGINT', 'price_units DATE'),
      'load-rows-refused',
      /Column 'price_units'.*is not a DATE/,
    ],
    [
      'a type has become too small',
      (ddl: string) => ddl.replace('quote_amount_units BIGINT', 'quote_amount_units TINYINT'),
      'load-rows-refused',
      /Column 'quote_amount_units'.*out of the range of TINYINT/,
    ],
  ])('%s: named, nothing loaded into it, no progress', async (_, change, code, message) => {
    await remake('trades', change)
    const kafka = kafkaOf(topic)
    expect(await load(kafka)).toMatchObject({ code, message: expect.stringMatching(message) })
    expect(await query('SELECT trade_id FROM trades')).toEqual([])
    expect(committed(kafka)).toEqual([0n, 0n])
  })
})

describe('a log that can not be loaded', () => {
  it('text that is not UTF-8: named, with the place of the record; nothing of it is loaded', async () => {
    const marked = topic.map(records =>
      records.map(record =>
        record.kind === 'UserReference'
          ? { ...record, reference: { ...record.reference, assets: record.reference.assets.map(renamed) } }
          : record,
      ),
    )
    const kafka = kafkaOf(marked, record => {
      const bytes = encodeUserRecord(record)
      const at = bytes.indexOf('EUR?')
      if (at >= 0) bytes[at + 3] = 0xff
      return bytes
    })
    expect(await load(kafka)).toMatchObject({
      code: 'undecodable-record',
      message: expect.stringMatching(/offset 0.*a string is not UTF-8/),
    })
    expect(await query('SELECT asset_id FROM assets')).toEqual([])
    expect(committed(kafka)).toEqual([0n, 0n])
  })

  it('a symbol whose asset has no decimals: named; nothing that was counted in it is loaded', async () => {
    const without = topic.map(records =>
      records.map(record =>
        record.kind === 'UserReference'
          ? { ...record, reference: { ...record.reference, assets: record.reference.assets.slice(0, 1) } }
          : record,
      ),
    )
    const kafka = kafkaOf(without)
    expect(await load(kafka)).toMatchObject({
      code: 'asset-unknown',
      message: expect.stringContaining('asset 2 is in no reference data'),
    })
    expect(await query('SELECT trade_id FROM trades')).toEqual([])
    expect(await query('SELECT user_id FROM ledger WHERE asset_id = 2')).toEqual([])
  })
})

const renamed = <A extends { readonly name: string }>(asset: A): A =>
  asset.name === 'EUR' ? { ...asset, name: 'EUR?' } : asset
