import { auth, Client, policies, types } from 'cassandra-driver'
import { Stop } from '../stop.ts'
import { classifyCql } from './classify.ts'
import { consistency } from './consistency.ts'
import { type EncodedStatement, encodeStatement } from './encode-statement.ts'
import { errorText } from './error-text.ts'
import { cqlLimits } from './limits.ts'
import {
  CqlFailure,
  type CqlParam,
  type CqlPort,
  type CqlRow,
  type CqlStatement,
  type NodeGenerations,
} from './port.ts'
import { useOperationSlots } from './operation-slots.ts'
import { usePreparedRuns } from './prepared-runs.ts'
import { readValue } from './read-value.ts'
import { SendAgain, type SendAgainOptions } from './send-again.ts'
import { splitBatches } from './split-batches.ts'
import { checkDefine, checkQuery, checkWrite } from './statement-rules.ts'

useOperationSlots()
usePreparedRuns()

export type CqlOptions = SendAgainOptions & {
  /** host:port of some nodes; the others are found through them, on the port of the first. */
  readonly contactPoints: readonly string[]
  readonly datacenter: string
  /** Without it no table can be named unqualified: for creating the keyspace. */
  readonly keyspace?: string
  /** Empty: no credentials are sent. */
  readonly username: string
  readonly password: string
  /** How long to wait for a first node to answer; `cqlLimits.openForMs` when not said. */
  readonly openForMs?: number
}

/**
 * Connects to ScyllaDB or Cassandra.
 * @throws Stop `store-unreachable` when no node answers in time, `store-refused` when one refuses (credentials, data
 * center), `keyspace-missing`
 */
export const openCql = async (options: CqlOptions): Promise<CqlPort> => {
  const { clock, log, contactPoints } = options
  const deadline = clock.monotonicMs() + (options.openForMs ?? cqlLimits.openForMs)
  for (;;) {
    const client = new Client(clientOptions(options))
    try {
      await client.connect()
      return new Cql(client, options)
    } catch (error) {
      await client.shutdown().catch(() => {})
      const verdict = classifyCql(error)
      if (verdict.kind === 'refused') throw cannotOpen(error, verdict.code, options)
      if (clock.monotonicMs() >= deadline)
        throw new Stop({
          code: 'store-unreachable',
          reason: 'failed',
          message: `no node of the store answers at CQL_CONTACT_POINTS=${contactPoints.join(',')} (${errorText(error)}); start it, or correct the setting`,
          cause: error,
        })
      log.warn({ code: verdict.code, contactPoints }, 'the store does not answer; asking again')
      await clock.sleep(cqlLimits.lastRetryMs / 2)
    }
  }
}

const clientOptions = (options: CqlOptions): ConstructorParameters<typeof Client>[0] => {
  const { contactPoints, datacenter, keyspace, username, password } = options
  return {
    contactPoints: [...contactPoints],
    localDataCenter: datacenter,
    ...(keyspace === undefined ? {} : { keyspace }),
    ...(username === '' ? {} : { authProvider: new auth.PlainTextAuthProvider(username, password) }),
    protocolOptions: {
      port: Number((contactPoints[0] as string).split(':').at(-1)),
      maxSchemaAgreementWaitSeconds: cqlLimits.schemaAgreementSeconds,
    },
    encoding: { map: Map, useBigIntAsLong: true, useBigIntAsVarint: true, copyBuffer: true },
    pooling: { coreConnectionsPerHost: { '0': 2, '1': 1, '2': 1 } },
    socketOptions: { readTimeout: cqlLimits.requestTimeoutMs, connectTimeout: cqlLimits.connectTimeoutMs },
    policies: {
      // What is sent again, when and for how long is decided here, not by the driver.
      retry: new policies.retry.FallthroughRetryPolicy(),
      reconnection: new policies.reconnection.ExponentialReconnectionPolicy(200, 5_000, false),
    },
    queryOptions: { prepare: true, isIdempotent: true },
    monitorReporting: { enabled: false },
  }
}

const cannotOpen = (error: unknown, code: string, { contactPoints, keyspace, datacenter }: CqlOptions): Stop => {
  const text = errorText(error)
  const missing = keyspace !== undefined && /keyspace .*does not exist/i.test(text)
  return new Stop({
    code: missing ? 'keyspace-missing' : 'store-refused',
    reason: missing ? 'refused' : 'usage',
    message: missing
      ? `keyspace ${keyspace} does not exist at ${contactPoints.join(',')}; on a new stream run: settle init`
      : `the store at ${contactPoints.join(',')} refuses (${code}): ${text}; look at CQL_USERNAME, CQL_PASSWORD and CQL_DATACENTER=${datacenter}`,
    cause: error,
  })
}

class Cql implements CqlPort {
  readonly #client: Client
  readonly #options: CqlOptions
  readonly #again: SendAgain
  /** Writes that passed the rules: a few dozen texts. */
  readonly #checked = new Set<string>()

  constructor(client: Client, options: CqlOptions) {
    this.#client = client
    this.#options = options
    this.#again = new SendAgain(options)
  }

  async query(cql: string, params: readonly CqlParam[] = [], signal?: AbortSignal): Promise<readonly CqlRow[]> {
    const rows: CqlRow[] = []
    for await (const page of this.#pages(cql, params, cqlLimits.pageRows, signal)) rows.push(...page)
    return rows
  }

  async *scan(
    cql: string,
    params: readonly CqlParam[] = [],
    { pageRows = cqlLimits.pageRows, signal }: { readonly pageRows?: number; readonly signal?: AbortSignal } = {},
  ): AsyncIterable<CqlRow> {
    for await (const page of this.#pages(cql, params, pageRows, signal)) yield* page
  }

  async *#pages(
    cql: string,
    params: readonly CqlParam[],
    fetchSize: number,
    signal?: AbortSignal,
  ): AsyncIterable<CqlRow[]> {
    checkQuery(cql)
    const { values } = encodeStatement({ cql, params })
    let pageState: string | undefined
    do {
      const state = pageState
      const page = await this.#again.until(signal, cql, () =>
        this.#client.execute(cql, values, {
          fetchSize,
          consistency: consistency.read,
          ...(state === undefined ? {} : { pageState: state }),
        }),
      )
      yield (page.rows ?? []).map(readRow)
      pageState = page.pageState ?? undefined
      // A page may be empty and not the last one: only the state says.
    } while (pageState !== undefined)
  }

  async write(statements: readonly CqlStatement[], signal?: AbortSignal): Promise<void> {
    const encoded = statements.map(encodeStatement)
    for (const { cql } of encoded) {
      if (!this.#checked.has(cql)) checkWrite(cql)
      this.#checked.add(cql)
    }
    const batches = splitBatches(encoded)
    const [only] = batches
    if (only && batches.length === 1) await this.#send(only, signal)
    else await Promise.all(batches.map(batch => this.#send(batch, signal)))
  }

  pack(statement: CqlStatement): CqlStatement {
    return encodeStatement(statement)
  }

  #send([first, ...others]: readonly EncodedStatement[], signal?: AbortSignal): Promise<unknown> {
    if (!first) return Promise.resolve()
    const { cql } = first
    return this.#again.until(signal, cql, () => {
      const { values } = first
      if (others.length === 0) return this.#client.execute(cql, values, { consistency: consistency.write })
      const batch = [{ query: cql, params: values }]
      for (const other of others) batch.push({ query: other.cql, params: other.lateValues })
      return this.#client.batch(batch, { logged: false, consistency: consistency.write })
    })
  }

  async define(cql: string): Promise<void> {
    checkDefine(cql)
    await this.#again.until(undefined, cql, () => this.#client.execute(cql, [], { prepare: false }))
  }

  async nodeGenerations(): Promise<NodeGenerations> {
    const hosts = this.#client.hosts.values().filter(host => host.datacenter === this.#options.datacenter)
    return new Map(await Promise.all(hosts.map(async host => [host.address, await this.#generationOf(host)] as const)))
  }

  async #generationOf(host: ReturnType<Client['hosts']['values']>[number]): Promise<number | null> {
    for (let attempt = 1; attempt <= cqlLimits.generationAttempts; attempt++) {
      try {
        const { rows } = await this.#client.execute('SELECT gossip_generation FROM system.local', [], {
          host,
          consistency: types.consistencies.localOne,
          readTimeout: cqlLimits.generationTimeoutMs,
        })
        const generation: unknown = rows[0]?.['gossip_generation']
        if (typeof generation === 'number') return generation
      } catch (error) {
        this.#options.log.debug({ err: error, node: host.address, attempt }, 'node did not tell its generation')
      }
      await this.#options.clock.sleep(cqlLimits.firstRetryMs)
    }
    return null
  }

  async commitLogSyncMs(): Promise<number | null> {
    const setting = async (name: string): Promise<string> =>
      ((await this.query('SELECT value FROM system_views.settings WHERE name = ?', [name]))[0]?.['value'] ??
        '') as string
    try {
      // Only periodic acknowledges a write before it is on the disk.
      if ((await setting('commitlog_sync')) !== 'periodic') return 0
      const period = /^(\d+)ms$/.exec(await setting('commitlog_sync_period'))
      return period ? Number(period[1]) : null
    } catch (error) {
      // ScyllaDB has no such table: it does not tell.
      if (error instanceof CqlFailure && error.kind === 'refused') return null
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#client.shutdown()
  }
}

const readRow = (row: types.Row): CqlRow =>
  Object.fromEntries(row.keys().map((name: string) => [name, readValue(row[name] as unknown)]))
