import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { up } from '../../local/stack.ts'
import { systemClock } from '../../runtime/clock.ts'
import { openCql } from '../../runtime/cql/cql.ts'
import { migrateStore } from '../../runtime/cql/migrate.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import { cqlMigrations } from '../../schemas/cql/migrations.ts'
import { cqlContract } from '../contract/cql-contract.ts'
import { checkStore, readStreamMeta } from '../../runtime/cql/stream-meta.ts'

const name = `cql_int_${process.pid}_${Date.now().toString(36)}`
const partitions = 4
const log = pino({ level: 'silent' })
let open: (options?: { readonly keyspace?: string }) => Promise<CqlPort>
let datacenter: string
let cql: CqlPort

const migrate = (over: Partial<Parameters<typeof migrateStore>[0]> = {}): ReturnType<typeof migrateStore> =>
  migrateStore({ open, keyspace: name, stream: name, partitions, datacenter, replicationFactor: 1, ...over })

beforeAll(async () => {
  const { cassandra } = await up({ servers: ['cassandra'] })
  datacenter = cassandra.localDataCenter
  open = (options = {}) =>
    openCql({
      contactPoints: cassandra.contactPoints.map(host => `${host}:${cassandra.port}`),
      datacenter,
      username: '',
      password: '',
      inFlight: 64,
      log,
      clock: systemClock,
      ...options,
    })
  await migrate()
  cql = await open({ keyspace: name })
})

afterAll(async () => {
  await cql?.define(`DROP KEYSPACE IF EXISTS ${name}`)
  await cql?.close()
})

describe('a real store, through the driver, keeps the contract', () => {
  cqlContract(async () => {
    await migrate()
    return await open({ keyspace: name })
  })
})

describe('nodes', () => {
  test('a store that is not there is named within the bound', async () => {
    const silent = {
      contactPoints: ['127.0.0.1:1'],
      datacenter,
      username: '',
      password: '',
      inFlight: 1,
      log,
      clock: systemClock,
    }
    await expect(openCql({ ...silent, openForMs: 300 })).rejects.toMatchObject({
      code: 'store-unreachable',
      message: expect.stringContaining('127.0.0.1:1') as string,
    })
  })

  test('another data center is refused with its setting', async () => {
    const found = await up({ servers: ['cassandra'] })
    const contactPoints = found.cassandra.contactPoints.map(host => `${host}:${found.cassandra.port}`)
    const other = openCql({
      contactPoints,
      datacenter: 'elsewhere',
      username: '',
      password: '',
      inFlight: 1,
      log,
      clock: systemClock,
      openForMs: 300,
    })
    await expect(other).rejects.toMatchObject({
      code: 'store-refused',
      message: expect.stringContaining('elsewhere') as string,
    })
  })
})

describe('the keyspace', () => {
  const whose = { keyspace: name, stream: name, partitions }
  test('is made once, and a second init changes nothing', async () => {
    expect(await migrate()).toEqual({ applied: [] })
    expect(await readStreamMeta(cql)).toEqual({ stream: name, partitions, schemaVersion: 1 })
    await checkStore(cql, whose)
  })

  test('is brought forward by a later migration, also one that was cut off; an older program then refuses it', async () => {
    const keyspace = `${name}_forward`
    const next = {
      version: 2,
      file: '002-next.cql',
      statements: [
        'ALTER TABLE trades ADD venue int',
        'CREATE TABLE IF NOT EXISTS venues (venue int, name text, PRIMARY KEY (venue))',
      ],
    }
    const migrations = [...cqlMigrations, next]
    await migrate({ keyspace })
    const store = await open({ keyspace })
    const write = 'INSERT INTO trades (block, trade_id, pos) VALUES (?, ?, ?) USING TIMESTAMP ?'
    await store.write([{ cql: write, params: [0n, 1n, 7n, 7n] }])
    // The first statement of an init that was cut off.
    await store.define(next.statements[0] as string)
    expect(await migrate({ keyspace, migrations })).toEqual({ applied: ['002-next.cql'] })
    expect(await migrate({ keyspace, migrations })).toEqual({ applied: [] })
    expect(await store.query('SELECT pos, venue FROM trades WHERE block = ? AND trade_id = ?', [0n, 1n])).toEqual([
      { pos: 7n, venue: null },
    ])
    await expect(checkStore(store, { ...whose, keyspace })).rejects.toMatchObject({ code: 'schema-version' })
    await expect(migrate({ keyspace })).rejects.toThrow(/has schema version 2, this program knows 1/)
    await store.define(`DROP KEYSPACE ${keyspace}`)
    await store.close()
  })

  test('of another stream or P is refused by init and by start', async () => {
    await expect(migrate({ stream: 'other' })).rejects.toMatchObject({ code: 'keyspace-other-stream' })
    await expect(migrate({ partitions: 5 })).rejects.toMatchObject({ code: 'keyspace-other-partitions' })
    await expect(checkStore(cql, { ...whose, stream: 'other' })).rejects.toMatchObject({
      code: 'keyspace-other-stream',
    })
    await expect(checkStore(cql, { ...whose, partitions: 5 })).rejects.toThrow(/4 partitions, PARTITIONS says 5/)
  })

  test('that does not exist, or was never initialised, is told with the way out', async () => {
    await expect(open({ keyspace: 'not_there' })).rejects.toMatchObject({
      code: 'keyspace-missing',
      message: expect.stringContaining('settle init') as string,
    })
    const bare = await open()
    await expect(checkStore(bare, { ...whose, keyspace: 'not_there' })).rejects.toMatchObject({
      code: 'keyspace-not-initialised',
    })
    await bare.close()
  })

  test('with other columns is refused by name', async () => {
    await cql.define('ALTER TABLE trades ADD intruder int')
    await expect(checkStore(cql, whose)).rejects.toThrow(/trades\.intruder \(int regular\) does not belong there/)
    await expect(migrate()).rejects.toMatchObject({ code: 'schema-drift' })
    await cql.define('ALTER TABLE trades DROP intruder')
    await cql.define('DROP TABLE house')
    await expect(checkStore(cql, whose)).rejects.toThrow(/house\.id is missing/)
  })
})
