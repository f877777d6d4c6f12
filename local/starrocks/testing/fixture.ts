import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingMessage, request, type RequestOptions } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Connection, createConnection, type ResultSetHeader, type RowDataPacket } from 'mysql2/promise'
import { parseSettings } from '../settings.ts'
import { type StandIn, startStandIn } from '../stand-in.ts'

export type Row = Record<string, string | number | null>

/** A stand-in on free loopback ports over a folder of its own, with one MySQL connection into it. */
export interface Fixture extends AsyncDisposable {
  readonly standIn: StandIn
  readonly directory: string
  readonly mysql: Connection
  /** Runs one statement; every value comes as text, exact. */
  query(sql: string): Promise<Row[]>
  /** Asks the admin door; a path and what to POST, or nothing for GET. */
  admin(path: string, body?: unknown): Promise<AdminAnswer>
}

interface AdminAnswer {
  readonly status: number
  readonly body: Record<string, unknown>
}

export async function openFixture(environment: Record<string, string> = {}): Promise<Fixture> {
  const directory = environment['STARROCKS_DIR'] ?? (await mkdtemp(join(tmpdir(), 'starrocks-')))
  const free = {
    STARROCKS_FE_HTTP_PORT: '0',
    STARROCKS_BE_HTTP_PORT: '0',
    STARROCKS_MYSQL_PORT: '0',
    STARROCKS_ADMIN_PORT: '0',
  }
  const standIn = await startStandIn(parseSettings({ ...free, STARROCKS_DIR: directory, ...environment }))
  const mysql = await connectMysql(standIn.mysqlPort, { password: environment['STARROCKS_PASSWORD'] ?? '' })
  return {
    standIn,
    directory,
    mysql,
    query: sql => query(mysql, sql),
    admin: (path, body) => askAdmin(standIn.adminPort, path, body),
    async [Symbol.asyncDispose]() {
      mysql.destroy()
      await standIn[Symbol.asyncDispose]()
      if (environment['STARROCKS_DIR'] === undefined) await rm(directory, { recursive: true, force: true })
    },
  }
}

const askAdmin = async (port: number | undefined, path: string, body?: unknown): Promise<AdminAnswer> => {
  const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  const response = await fetch(`http://127.0.0.1:${port}${path}`, post)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

export const connectMysql = (
  port: number,
  options: { password?: string; database?: string } = {},
): Promise<Connection> =>
  createConnection({
    host: '127.0.0.1',
    port,
    user: 'root',
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
    ...options,
  })

export async function query(connection: Connection, sql: string): Promise<Row[]> {
  const [rows] = await connection.query<RowDataPacket[] | ResultSetHeader>(sql)
  return Array.isArray(rows) ? rows.map(row => Object.fromEntries<Row[string]>(Object.entries(row))) : []
}

export interface LoadAnswer {
  readonly TxnId: number
  readonly Label: string
  readonly Status: string
  readonly Message: string
  readonly ExistingJobStatus?: string
  readonly NumberTotalRows: number
  readonly NumberLoadedRows: number
  readonly NumberFilteredRows: number
  readonly ErrorURL?: string
}

export interface PutOptions {
  readonly port: number
  /** `database/table` */
  readonly into: string
  readonly headers?: Record<string, string>
  readonly authorization?: string
}

/** A Stream Load as a careful client does it: ask the frontend, follow its 307, send the body once the backend says so. */
export async function putLoad(options: PutOptions, body: string | Uint8Array): Promise<LoadAnswer> {
  const first = await exchange(options, undefined)
  if (first.status !== 307) throw new Error(`no redirect: ${first.status} ${first.text}`)
  const port = Number(new URL(first.location ?? '').port)
  const answer = await exchange({ ...options, port }, Buffer.from(body))
  return JSON.parse(answer.text) as LoadAnswer
}

/** A load that gets its 100 and then sends half a body; `cut` drops the connection. */
export async function startHalfLoad(options: PutOptions): Promise<{ cut: () => void }> {
  const put = request(putRequest(options, { 'content-length': '99' }))
  put.on('error', () => undefined)
  put.flushHeaders()
  await once(put, 'continue')
  put.write('[{')
  return { cut: () => put.destroy() }
}

function putRequest(options: PutOptions, headers: Record<string, string>): RequestOptions {
  return {
    host: '127.0.0.1',
    port: options.port,
    method: 'PUT',
    path: `/api/${options.into}/_stream_load`,
    headers: {
      Authorization: options.authorization ?? `Basic ${Buffer.from('root:').toString('base64')}`,
      Expect: '100-continue',
      format: 'json',
      strip_outer_array: 'true',
      ...headers,
      ...options.headers,
    },
  }
}

/** One PUT with `Expect: 100-continue`; the body goes only after a 100. `undefined`: never sends one. */
export function exchange(
  options: PutOptions,
  body: Buffer | undefined,
): Promise<{ status: number; location: string | undefined; text: string; continued: boolean }> {
  return new Promise((resolve, reject) => {
    let continued = false
    const put = request(putRequest(options, body ? { 'content-length': String(body.length) } : {}))
    put.on('continue', () => {
      continued = true
      put.end(body)
    })
    put.on('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({ status: response.statusCode ?? 0, location: response.headers.location, text, continued })
        put.destroy()
      })
    })
    put.on('error', reject)
    put.flushHeaders()
  })
}
