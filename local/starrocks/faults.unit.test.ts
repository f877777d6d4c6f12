import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  connectMysql,
  exchange,
  type Fixture,
  type LoadAnswer,
  openFixture,
  putLoad,
  query,
} from './testing/fixture.ts'

let directory: string
let fixture: Fixture
let id = 0

const load = (table = 't'): Promise<LoadAnswer> =>
  putLoad(
    { port: fixture.standIn.feHttpPort, into: `d/${table}`, headers: { label: `l-${id}` } },
    `[{"id":${id},"v":1}]`,
  )
const state = async (): Promise<unknown> => {
  const url = `http://127.0.0.1:${fixture.standIn.feHttpPort}/api/d/get_load_state?label=l-${id}`
  const response = await fetch(url, { headers: { Authorization: 'Basic cm9vdDo=' } })
  return ((await response.json()) as { state: string }).state
}
const isThere = async (): Promise<boolean> => (await fixture.query(`SELECT v FROM d.t WHERE id = ${id}`)).length === 1
const set = (fault: unknown) => fixture.admin('/faults', fault)

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'starrocks-faults-'))
  fixture = await openFixture({ STARROCKS_DIR: directory })
  await fixture.query('CREATE DATABASE d')
  for (const table of ['t', 'u'])
    await fixture.query(
      `CREATE TABLE d.${table} (id INT NOT NULL, v INT NOT NULL) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)`,
    )
})
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})
beforeEach(() => {
  id++
})

test.each([
  ['drop-before-commit', false, 'ABORTED'],
  ['drop-after-commit', true, 'VISIBLE'],
  ['lost-label', true, 'UNKNOWN'],
])('%s: no answer; rows there: %s, label %s', async (kind, there, label) => {
  await set({ kind })
  await expect(load()).rejects.toThrow()
  expect([await isThere(), await state()]).toEqual([there, label])
})

test.each([
  ['unknown-status', 'Transaction status unknown', true, 'VISIBLE'],
  ['full-disk', 'write failed: No space left on device', false, 'ABORTED'],
])('%s: Fail, %s; rows there: %s, label %s', async (kind, message, there, label) => {
  await set({ kind })
  expect(await load()).toMatchObject({ Status: 'Fail', Message: message, NumberLoadedRows: 0 })
  expect([await isThere(), await state()]).toEqual([there, label])
})

test('publish-timeout answers before the rows can be seen; loads after it wait for them', async () => {
  await set({ kind: 'publish-timeout', ms: 300 })
  expect(await load()).toMatchObject({ Status: 'Publish Timeout', NumberLoadedRows: 1 })
  expect([await isThere(), await state()]).toEqual([false, 'COMMITTED'])
  const [first] = [id, id++]
  expect(await load()).toMatchObject({ Status: 'Success' })
  expect(await fixture.query(`SELECT id FROM d.t WHERE id >= ${first} ORDER BY id`)).toEqual([
    { id: first },
    { id: first + 1 },
  ])
})

test('publish-delay answers Success once the rows can be seen', async () => {
  await set({ kind: 'publish-delay', ms: 200 })
  const loading = load()
  await expect.poll(state).toBe('COMMITTED')
  expect(await isThere()).toBe(false)
  expect(await loading).toMatchObject({ Status: 'Success' })
  expect([await isThere(), await state()]).toEqual([true, 'VISIBLE'])
})

test('slow takes its time before it asks for the body and before it answers', async () => {
  await set({ kind: 'slow', ms: 100 })
  const startedMs = performance.now()
  expect(await load()).toMatchObject({ Status: 'Success' })
  expect(performance.now() - startedMs).toBeGreaterThan(195)
})

test('a fault strikes as many loads as it was set for, of the table it was set for, and is counted', async () => {
  await set([{ kind: 'full-disk', times: 2, table: 'u' }])
  expect((await load()).Status).toBe('Success')
  id++
  for (const expected of ['Fail', 'Fail', 'Success']) expect((await load('u')).Status).toBe(expected)
  const { body } = await fixture.admin('/')
  expect(body['faults']).toMatchObject({ waiting: [], struck: { 'full-disk': 3 } })
})

test('what is no fault is refused by name', async () => {
  expect(await set({ kind: 'flood' })).toMatchObject({ status: 400, body: { error: expect.stringContaining('kind') } })
  expect(await set({ kind: 'slow' })).toMatchObject({ status: 400, body: { error: expect.stringContaining('ms') } })
  expect((await fixture.admin('/nothing')).status).toBe(404)
})

test('the frontend goes and comes back at its ports; a load meanwhile fails and may be repeated', async () => {
  const options = { port: fixture.standIn.beHttpPort, into: 'd/t', headers: { label: `l-${id}` } }
  fixture.mysql.on('error', () => undefined)
  expect((await fixture.admin('/frontend/restart', { downMs: 300 })).status).toBe(202)
  await expect(load()).rejects.toThrow(/ECONNREFUSED/)
  const refused = await exchange(options, Buffer.from('[]'))
  expect(JSON.parse(refused.text)).toMatchObject({ Status: 'Fail', Message: expect.stringContaining('frontend') })
  await expect.poll(() => load().catch(() => null), { timeout: 5_000 }).toMatchObject({ Status: 'Success' })
  const mysql = await connectMysql(fixture.standIn.mysqlPort)
  expect(await query(mysql, `SELECT v FROM d.t WHERE id = ${id}`)).toEqual([{ v: 1 }])
  mysql.destroy()
})

test('a committed load that was not published is published by the next start', async () => {
  await set({ kind: 'publish-timeout', ms: 600_000 })
  expect(await load()).toMatchObject({ Status: 'Publish Timeout' })
  await fixture[Symbol.asyncDispose]()
  fixture = await openFixture({ STARROCKS_DIR: directory })
  expect([await isThere(), await state()]).toEqual([true, 'VISIBLE'])
  expect(await load()).toMatchObject({ Status: 'Label Already Exists', ExistingJobStatus: 'FINISHED' })
})
