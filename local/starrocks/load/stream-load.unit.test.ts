import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Catalog } from '../store/catalog.ts'
import { Database } from '../store/database.ts'
import { parseDdl } from '../sql/ddl-parser.ts'
import { TokenCursor } from '../sql/token-cursor.ts'
import { ErrorLogs } from './error-logs.ts'
import { Labels } from './labels.ts'
import { parseLoadHeaders } from './load-headers.ts'
import { type BegunLoad, StreamLoads } from './stream-load.ts'
import { Unpublished } from './unpublished.ts'

class LabelsOnFullDisk extends Labels {
  override store(): Promise<void> {
    return Promise.reject(new Error('No space left on device'))
  }
}

test('rows whose label cannot be stored are not there', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'starrocks-load-'))
  await using database = await Database.open({ directory, memoryLimit: '256MB' })
  const catalog = new Catalog(database)
  await catalog.load()
  const labels = new LabelsOnFullDisk({ keepMax: 10, maxRunning: 10 })
  await labels.load(database)
  await catalog.createDatabase('d')
  const ddl = parseDdl(new TokenCursor('CREATE TABLE t (id INT NOT NULL) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)'))
  if (ddl.kind !== 'create table') throw new Error(ddl.kind)
  await catalog.createTable('d', 't', ddl.definition)
  const unpublished = new Unpublished({ database, catalog, labels })
  const parts = { database, catalog, labels, errorLogs: new ErrorLogs(), unpublished }
  await using loads = new StreamLoads({ ...parts, frontendState: () => 'up' })

  const parsed = parseLoadHeaders({ label: 'l', format: 'json', strip_outer_array: 'true' })
  const begun = labels.begin('d', 'l')
  if (parsed.kind !== 'load' || begun.kind !== 'begun') throw new Error('not begun')
  const deadline = performance.now() + 10_000
  const target = { database: 'd', table: 't' }
  const load: BegunLoad = { ...target, request: parsed.request, txnId: begun.txnId, deadline, fault: undefined }
  const outcome = await loads.run(load, Buffer.from('[{"id":1}]'))
  expect(outcome).toMatchObject({ status: 'Fail', loadedRows: 0, message: expect.stringContaining('No space left') })
  expect(labels.stateOf('d', 'l').state).toBe('ABORTED')
  const rows = await database.use(async connection => (await connection.run('SELECT * FROM d.t')).getRows())
  expect(rows).toEqual([])

  const late = await loads.run({ ...load, deadline: performance.now() - 1 }, Buffer.from('[{"id":1}]'))
  expect(late.message).toContain('reached its timeout')
  await rm(directory, { recursive: true, force: true })
})
