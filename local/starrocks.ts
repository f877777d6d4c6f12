import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { answersAt } from './ports.ts'
import type { ServerDriver } from './server-driver.ts'

const PROBE_TIMEOUT_MS = 3_000
const PROGRAM = join(import.meta.dirname, 'starrocks', 'main.ts')

/** The stand-in: StarRocks itself has no build that runs without a container. */
export const starrocks: ServerDriver = {
  server: 'starrocks',
  title: 'StarRocks stand-in',
  startTimeoutMs: 30_000,
  stopTimeoutMs: 20_000,
  usualStartMs: 2_000,
  memoryMb: () => 512,

  async prepare(record) {
    mkdirSync(record.dir, { recursive: true })
    const { feHttp, beHttp, mysql, admin } = record.ports
    return {
      file: process.execPath,
      args: [PROGRAM],
      env: {
        // Each statement in DuckDB takes a thread of libuv while it runs: with four, loads and queries wait for one another.
        UV_THREADPOOL_SIZE: '16',
        STARROCKS_DIR: record.dir,
        STARROCKS_FE_HTTP_PORT: String(feHttp),
        STARROCKS_BE_HTTP_PORT: String(beHttp),
        STARROCKS_MYSQL_PORT: String(mysql),
        STARROCKS_ADMIN_PORT: String(admin),
      },
      cwd: record.dir,
    }
  },

  async probe(record) {
    for (const [name, port] of Object.entries(record.ports)) {
      if (!(await answersAt(port, record.address, { timeoutMs: PROBE_TIMEOUT_MS })))
        throw new Error(`${name} is closed`)
    }
    const connection = await createConnection({
      host: record.address,
      port: record.ports['mysql'] as number,
      user: 'root',
      connectTimeout: PROBE_TIMEOUT_MS,
    })
    try {
      await connection.query({ sql: 'SELECT 1', timeout: PROBE_TIMEOUT_MS })
    } finally {
      connection.destroy()
    }
  },
}
