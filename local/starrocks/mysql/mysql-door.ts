import { once } from 'node:events'
import type { AddressInfo, Server as NetServer, Socket } from 'node:net'
import type { DuckDBResult } from '@duckdb/node-api'
import { createServer } from 'mysql2'
import { accessDenied, type Users } from '../http/basic-auth.ts'
import type { Listener } from '../http/http-listener.ts'
import { limits } from '../limits.ts'
import { nativePasswordFits } from './native-password.ts'
import { serverVersion } from '../sql/select-translation.ts'
import { type Answer, Session, type SessionParts } from './session.ts'
import { asSqlError, notSupported, SqlError } from '../sql/sql-error.ts'
import { textColumn, type WireColumn, wireColumn, wireText } from './wire-column.ts'

/** What mysql2's server side of a connection has, and its types leave out. */
interface ServerConnection {
  sequenceId: number
  readonly stream: Socket
  serverHandshake(options: object): void
  writeOk(options?: { affectedRows: number }): void
  writeError(error: { code: number; message: string }): void
  writeColumns(columns: readonly WireColumn[]): void
  writeTextRow(row: readonly (string | null)[]): void
  writeEof(): void
  on(event: string, listener: (...args: never[]) => void): void
  close(): void
}

interface Login {
  readonly user: string
  readonly database: string | undefined
  readonly authPluginData1: Buffer
  readonly authPluginData2: Buffer
  readonly authToken: Buffer
}

export interface MysqlDoorOptions extends SessionParts {
  readonly port: number
  readonly users: Users
}

/** LONG_PASSWORD, FOUND_ROWS, LONG_FLAG, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH */
const capabilityFlags = 0x1 | 0x2 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000
const autocommit = 2
const utf8mb4GeneralCi = 45

const commandResetConnection = 31
const commandCloseStatement = 25
const commandSetOption = 27

/** The MySQL door: mysql2's server side of the protocol over sessions. Listens on the loopback only. */
export async function openMysqlDoor(options: MysqlDoorOptions): Promise<Listener> {
  const connections = new Set<Connection>()
  let lastId = 0
  const server = createServer(raw => {
    const wire = raw as unknown as ServerConnection
    lastId += 1
    const connection = new Connection(wire, options, lastId)
    wire.stream.once('close', () => {
      connections.delete(connection)
      connection.end()
    })
    if (connections.size >= limits.mysqlConnections) return connection.turnAway()
    connections.add(connection)
    connection.greet()
  })
  const net = (server as unknown as { _server: NetServer })._server
  const listening = once(net, 'listening')
  ;(server as unknown as { listen(port: number, host: string): void }).listen(options.port, '127.0.0.1')
  await listening
  return {
    port: (net.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(net, 'close')
      net.close()
      for (const connection of connections) connection.end()
      await closed
    },
  }
}

class Connection {
  readonly #wire: ServerConnection
  readonly #options: MysqlDoorOptions
  readonly #id: number
  #session: Session | undefined
  #pending = 0
  #last: Promise<void> = Promise.resolve()
  #ended = false

  constructor(wire: ServerConnection, options: MysqlDoorOptions, id: number) {
    this.#wire = wire
    this.#options = options
    this.#id = id
  }

  turnAway(): void {
    this.#wire.writeError({ code: 1040, message: `Reach limit of connections (${limits.mysqlConnections})` })
    this.#wire.close()
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#session?.[Symbol.dispose]()
    this.#wire.stream.destroy()
  }

  greet(): void {
    const on = (event: string, listener: (...args: never[]) => void) => this.#wire.on(event, listener)
    on('error', () => this.end())
    on('query', (sql: string) => this.#enqueue(session => this.#answer(session, sql)))
    // mysql2 hands over SET under this name; a real prepared statement is refused, as its text protocol has none.
    on('stmt_prepare', (sql: string) => this.#enqueue(session => this.#answer(session, preparedSet(sql))))
    on('stmt_execute', () => this.#enqueue(() => Promise.reject(notSupported('a prepared statement'))))
    on('init_db', (database: string) =>
      this.#enqueue(async session => {
        await session.use(database)
        this.#wire.writeOk()
      }),
    )
    on('ping', () => this.#enqueue(async () => this.#wire.writeOk()))
    on('field_list', () => this.#enqueue(async () => this.#wire.writeEof()))
    on('quit', () => this.end())
    on('packet', (_packet: object, known: boolean, command: number) => this.#otherCommand(known, command))
    this.#wire.serverHandshake({
      protocolVersion: 10,
      serverVersion,
      connectionId: this.#id,
      statusFlags: autocommit,
      characterSet: utf8mb4GeneralCi,
      capabilityFlags,
      authCallback: (login: Login, done: (error: null, refusal?: { code: number; message: string }) => void) => {
        void this.#login(login).then(refusal => done(null, refusal))
      },
    })
  }

  #otherCommand(known: boolean, command: number): void {
    if (known) return
    // The one command without an answer: only the count of packets starts again.
    if (command === commandCloseStatement) {
      this.#wire.sequenceId = 0
      return
    }
    this.#enqueue(async () => {
      if (command === commandResetConnection) this.#wire.writeOk()
      else if (command === commandSetOption) this.#wire.writeEof()
      else throw new SqlError(1047, `Unknown command ${command}`)
    })
  }

  /** Undefined: let in. */
  async #login(login: Login): Promise<SqlError | undefined> {
    try {
      await this.#openSession(login)
      return undefined
    } catch (error) {
      return asSqlError(error)
    } finally {
      // mysql2 answers when this is over; the count of packets starts again after that.
      setImmediate(() => {
        this.#wire.sequenceId = 0
      })
    }
  }

  async #openSession(login: Login): Promise<void> {
    const password = this.#options.users.get(login.user)
    const seed = Buffer.concat([login.authPluginData1, login.authPluginData2])
    if (password === undefined || !nativePasswordFits(login.authToken, seed, password)) {
      throw new SqlError(1045, accessDenied(login.user, login.authToken.length > 0 ? 'YES' : 'NO'))
    }
    const session = await Session.open(this.#options, { user: login.user, id: this.#id })
    this.#session = session
    if (this.#ended) session[Symbol.dispose]()
    else if (login.database) await session.use(login.database)
  }

  /** One statement after the other; the answer to each is complete before the next starts. */
  #enqueue(work: (session: Session) => Promise<void>): void {
    this.#pending += 1
    if (this.#pending > limits.mysqlPendingStatements) return this.end()
    this.#last = this.#last.then(async () => {
      try {
        if (this.#session && !this.#ended) await work(this.#session)
      } catch (error) {
        const { code, message } = asSqlError(error)
        if (!this.#ended) this.#wire.writeError({ code, message })
      } finally {
        this.#pending -= 1
        this.#wire.sequenceId = 0
      }
    })
  }

  async #answer(session: Session, sql: string): Promise<void> {
    const timer = setTimeout(() => session.interrupt(), session.queryTimeoutMs)
    try {
      const answer = await session.execute(sql)
      await this.#write(answer)
    } finally {
      clearTimeout(timer)
    }
  }

  async #write(answer: Answer): Promise<void> {
    switch (answer.kind) {
      case 'ok':
        return this.#wire.writeOk({ affectedRows: answer.affectedRows })
      case 'text':
        this.#wire.writeColumns(answer.columns.map(textColumn))
        for (const row of answer.rows) this.#wire.writeTextRow(row)
        return this.#wire.writeEof()
      case 'rows':
        return this.#stream(answer.result)
    }
  }

  /** Row by row as DuckDB yields them, no faster than the client reads: no result is ever whole in memory. */
  async #stream(result: DuckDBResult): Promise<void> {
    const types = result.columnTypes()
    this.#wire.writeColumns(result.columnNames().map((name, index) => wireColumn(name, types[index] as never)))
    for await (const rows of result.yieldRows()) {
      this.#wire.stream.cork()
      for (const row of rows) this.#wire.writeTextRow(row.map(wireText))
      this.#wire.stream.uncork()
      if (this.#wire.stream.writableNeedDrain) await this.#drained()
      if (this.#ended) return
    }
    this.#wire.writeEof()
  }

  async #drained(): Promise<void> {
    const timeout = AbortSignal.timeout(limits.mysqlDrainTimeoutMs)
    try {
      await once(this.#wire.stream, 'drain', { signal: timeout })
    } catch {
      this.end()
    }
  }
}

function preparedSet(sql: string): string {
  if (!/^\s*SET\b/i.test(sql))
    throw new SqlError(1295, 'This command is not supported in the prepared statement protocol yet')
  return sql
}
