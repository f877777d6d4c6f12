import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectMysql, openFixture, putLoad, query } from './testing/fixture.ts'

let directory = ''

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'starrocks-crash-'))
})

afterAll(() => rm(directory, { recursive: true, force: true }))

interface Ports {
  readonly feHttp: number
  readonly beHttp: number
  readonly mysql: number
}

async function startProcess(environment: Record<string, string>): Promise<{ child: ChildProcess; ports: Ports }> {
  const free = { STARROCKS_FE_HTTP_PORT: '0', STARROCKS_BE_HTTP_PORT: '0', STARROCKS_MYSQL_PORT: '0' }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: { ...process.env, ...free, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const ready = JSON.parse(line) as Ports & { ready: boolean; standIn: boolean }
  expect(ready).toMatchObject({ ready: true, standIn: true })
  return { child, ports: ready }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const exited = once(child, 'exit') as Promise<[number | null]>
  child.kill(signal)
  return (await exited)[0]
}

test('kill -9 in the middle of loads loses none that was acknowledged, and splits none from its label', async () => {
  const { child, ports } = await startProcess({ STARROCKS_DIR: directory })
  const connection = await connectMysql(ports.mysql)
  await query(connection, 'CREATE DATABASE d')
  await query(
    connection,
    'CREATE TABLE d.t (id INT NOT NULL, part INT NOT NULL) PRIMARY KEY (id, part) DISTRIBUTED BY HASH (id)',
  )
  connection.on('error', () => undefined)
  const acknowledged: number[] = []
  let sent = 0
  const keepLoading = async (): Promise<void> => {
    for (;;) {
      const id = (sent += 1)
      const rows = JSON.stringify(Array.from({ length: 50 }, (_, part) => ({ id, part })))
      const answer = await putLoad({ port: ports.feHttp, into: 'd/t', headers: { label: `load-${id}` } }, rows)
      expect(answer.Status).toBe('Success')
      acknowledged.push(id)
    }
  }
  const loaders = [keepLoading(), keepLoading(), keepLoading()].map(loader => loader.catch(() => undefined))
  await expect.poll(() => acknowledged.length, { timeout: 10_000 }).toBeGreaterThan(20)
  await end(child, 'SIGKILL')
  await Promise.all(loaders)

  await using again = await openFixture({ STARROCKS_DIR: directory })
  const parts = new Map(
    (await again.query('SELECT id, count(*) AS parts FROM d.t GROUP BY id')).map(row => [row['id'], row['parts']]),
  )
  for (const id of acknowledged) expect([id, parts.get(id)]).toEqual([id, '50'])
  for (let id = 1; id <= sent; id += 1) {
    const url = `http://127.0.0.1:${again.standIn.feHttpPort}/api/d/get_load_state?label=load-${id}`
    const response = await fetch(url, { headers: { Authorization: 'Basic cm9vdDo=' } })
    const { state } = (await response.json()) as { state: string }
    expect([id, state]).toEqual([id, parts.has(id) ? 'VISIBLE' : 'UNKNOWN'])
  }
})

test('SIGTERM ends with exit code 0; what was there is there after it, definitions too', async () => {
  const fresh = join(directory, 'fresh')
  const first = await startProcess({ STARROCKS_DIR: fresh })
  const connection = await connectMysql(first.ports.mysql)
  const ddl =
    'CREATE TABLE d.t (id INT NOT NULL COMMENT "key", v STRING) PRIMARY KEY (id) DISTRIBUTED BY HASH (id) BUCKETS 3'
  for (const sql of ['CREATE DATABASE d', ddl, "INSERT INTO d.t VALUES (1, 'x')"]) await query(connection, sql)
  await query(
    connection,
    'CREATE MATERIALIZED VIEW d.m REFRESH ASYNC EVERY (INTERVAL 1 SECOND) AS SELECT count(*) AS n FROM d.t',
  )
  const created = await query(connection, 'SHOW CREATE TABLE d.t')
  connection.on('error', () => undefined)
  expect(await end(first.child, 'SIGTERM')).toBe(0)

  await using second = await openFixture({ STARROCKS_DIR: fresh })
  expect(await second.query('SHOW CREATE TABLE d.t')).toEqual(created)
  await second.query("INSERT INTO d.t VALUES (2, 'y')")
  await expect.poll(() => second.query('SELECT n FROM d.m'), { timeout: 5000 }).toEqual([{ n: '2' }])
})

test('a taken port and bad settings end it with one clear line each', async () => {
  await using fixture = await openFixture()
  const run = async (environment: Record<string, string>): Promise<{ code: number | null; errors: string }> => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let errors = ''
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, errors }
  }
  const port = String(fixture.standIn.mysqlPort)
  const free = { STARROCKS_FE_HTTP_PORT: '0', STARROCKS_BE_HTTP_PORT: '0' }
  const taken = await run({ STARROCKS_DIR: join(directory, 'taken'), ...free, STARROCKS_MYSQL_PORT: port })
  expect(taken).toMatchObject({ code: 1, errors: expect.stringContaining(port) })
  const bad = await run({ STARROCKS_DIR: '', STARROCKS_FE_HTTP_PORT: 'x', STARROCKS_MEMORY_LIMIT: 'much' })
  expect(bad.code).toBe(1)
  for (const name of ['STARROCKS_DIR', 'STARROCKS_FE_HTTP_PORT', 'STARROCKS_MEMORY_LIMIT'])
    expect(bad.errors).toContain(name)
  const shared = await run({ STARROCKS_DIR: fixture.directory, ...free, STARROCKS_MYSQL_PORT: '0' })
  expect(shared).toMatchObject({ code: 1, errors: expect.stringContaining('lock') })
})
