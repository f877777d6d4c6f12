import { isUtf8 } from 'node:buffer'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { type DuckDBConnection, DuckDBDataChunk, type DuckDBType, type DuckDBValue } from '@duckdb/node-api'
import { type Catalog, qualified } from '../store/catalog.ts'
import { duckdbTypeName } from '../sql/column-type.ts'
import { csvRows } from './csv-rows.ts'
import { type Database, quoteName } from '../store/database.ts'
import type { ErrorLogs } from './error-logs.ts'
import type { LoadFault } from '../faults.ts'
import { BodyError, jsonRows, type RowBatch } from './json-rows.ts'
import type { Labels } from './labels.ts'
import { limits } from '../limits.ts'
import type { LoadRequest } from './load-headers.ts'
import { PlanError, RowConverter } from './row-converter.ts'
import { type CommittedLoad, ordinal, type Unpublished } from './unpublished.ts'
import { mergeStatement } from './merge.ts'
import { SqlError } from '../sql/sql-error.ts'
import type { TableDefinition } from '../sql/statement.ts'

export interface LoadTarget {
  readonly database: string
  readonly table: string
}

/** A load whose label is begun. `deadline` is in the clock of `performance.now()`. */
export interface BegunLoad extends LoadTarget {
  readonly request: LoadRequest
  readonly txnId: number
  readonly deadline: number
  readonly fault: LoadFault | undefined
}

/** What a finished load says of itself; the door adds the times. */
export interface LoadOutcome {
  readonly status: 'Success' | 'Publish Timeout' | 'Fail'
  readonly message: string
  readonly totalRows: number
  readonly loadedRows: number
  readonly filteredRows: number
  /** Name of the error log, when rows were refused. */
  readonly errorLog: string | undefined
  /** `cut`: the client hears nothing of it. */
  readonly answer: 'given' | 'cut'
}

/** What a backend says that can't ask its frontend to begin or to commit. */
export const frontendGone = 'call frontend service failed: connect() failed: Connection refused'

class LoadFailure extends Error {}

interface Staged {
  readonly loaded: number
  readonly refused: number
  readonly errors: readonly string[]
}

/** Runs loads: body → typed rows in a staging table → one transaction that merges them and stores the label. */
export class StreamLoads implements AsyncDisposable {
  readonly #database: Database
  readonly #catalog: Catalog
  readonly #labels: Labels
  readonly #errorLogs: ErrorLogs
  readonly #unpublished: Unpublished
  readonly #frontendState: () => 'up' | 'down'
  readonly #publications = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()

  constructor(parts: {
    database: Database
    catalog: Catalog
    labels: Labels
    errorLogs: ErrorLogs
    unpublished: Unpublished
    frontendState: () => 'up' | 'down'
  }) {
    this.#database = parts.database
    this.#catalog = parts.catalog
    this.#labels = parts.labels
    this.#errorLogs = parts.errorLogs
    this.#unpublished = parts.unpublished
    this.#frontendState = parts.frontendState
  }

  /** Loads a whole body. Never throws for what the client sent: the outcome says it. */
  async run(load: BegunLoad, body: Buffer): Promise<LoadOutcome> {
    let staged: Staged = { loaded: 0, refused: 0, errors: [] }
    try {
      const plain = await decompress(body, load.request)
      await this.#database.use(async connection => {
        staged = await this.#stage(connection, load, plain)
        judge(staged, load.request)
        if (load.fault?.kind === 'full-disk') throw new LoadFailure('write failed: No space left on device')
        if (load.fault?.kind === 'drop-before-commit') throw new LoadFailure('the backend was gone before the commit')
        if (this.#frontendState() === 'down') throw new LoadFailure(frontendGone)
        await this.#commit(connection, load)
      })
      if (load.fault?.kind === 'lost-label') this.#labels.forget(load.database, load.request.label)
      return this.#committed(load, staged)
    } catch (error) {
      const message = failureText(error)
      this.abort(load, message)
      const outcome = this.#outcome('Fail', message, staged)
      return load.fault?.kind === 'drop-before-commit' ? { ...outcome, answer: 'cut' } : outcome
    }
  }

  /** What the client hears of a load that is committed. */
  #committed(load: BegunLoad, staged: Staged): LoadOutcome {
    const outcome = this.#outcome('Success', 'OK', staged)
    switch (load.fault?.kind) {
      case 'drop-after-commit':
      case 'lost-label':
        return { ...outcome, answer: 'cut' }
      case 'unknown-status':
        return { ...outcome, status: 'Fail', message: 'Transaction status unknown', loadedRows: 0 }
      case 'publish-timeout':
        return { ...outcome, status: 'Publish Timeout', message: 'publish timeout, the transaction is committed' }
      default:
        return outcome
    }
  }

  /** Publications that still wait are left to the next start: their rows are durable. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled(this.#publications)
  }

  /** Ends a load that changed nothing; its label can be used again. */
  abort(load: BegunLoad, reason: string): void {
    this.#labels.settle(load.database, load.request.label, { state: 'ABORTED', reason })
  }

  #outcome(status: 'Success' | 'Fail', message: string, staged: Staged): LoadOutcome {
    return {
      status,
      message,
      totalRows: staged.loaded + staged.refused,
      loadedRows: status === 'Success' ? staged.loaded : 0,
      filteredRows: staged.refused,
      errorLog: staged.errors.length > 0 ? this.#errorLogs.add(staged.errors) : undefined,
      answer: 'given',
    }
  }

  async #stage(connection: DuckDBConnection, load: BegunLoad, body: Buffer): Promise<Staged> {
    const table = this.#catalog.table(load.database, load.table)
    checkMergeCondition(table, load.request.mergeCondition)
    const converter = new RowConverter(table, load.request.columns)
    const columns = table.columns.map(column => `${quoteName(column.name)} ${duckdbTypeName(column.type)}`)
    await connection.run(`CREATE TEMP TABLE staging (${ordinal} INTEGER, ${columns.join(', ')})`)
    const types = (await connection.run('SELECT * FROM staging LIMIT 0')).columnTypes()
    const appender = await connection.createAppender('staging', null, 'temp')
    let loaded = 0
    let refused = 0
    const errors: string[] = []
    for (const batch of rowBatches(load.request, body)) {
      checkDeadline(load)
      const good = convertBatch(converter, batch, line => {
        refused += 1
        if (errors.length < limits.errorLogRows) errors.push(line)
      })
      if (good.length > 0) appender.appendDataChunk(chunkOf(types, good, loaded))
      loaded += good.length
      // Converting is our own work on the one thread: let the other doors breathe between two batches.
      await new Promise(resolve => setImmediate(resolve))
    }
    appender.closeSync()
    return { loaded, refused, errors }
  }

  async #commit(connection: DuckDBConnection, load: BegunLoad): Promise<void> {
    const { database, table, fault } = load
    if (fault?.kind === 'publish-timeout' || fault?.kind === 'publish-delay')
      return this.#commitAndPublish(connection, load, fault)
    await this.#catalog.locked(database, table, () => this.#commitAtOnce(connection, load))
    this.#catalog.touch()
    this.#labels.settle(database, load.request.label, { state: 'VISIBLE', reason: '' })
  }

  /** Commits now and publishes later; loads that come after wait for it, as versions of a tablet do. */
  async #commitAndPublish(
    connection: DuckDBConnection,
    load: BegunLoad,
    { kind, ms }: { readonly kind: 'publish-timeout' | 'publish-delay'; readonly ms: number },
  ): Promise<void> {
    const { database, table, txnId } = load
    const { label, mergeCondition } = load.request
    const committed: CommittedLoad = { txnId, database, table, label, mergeCondition }
    const kept = Promise.withResolvers<void>()
    const publication = this.#catalog.locked(database, table, async () => {
      checkDeadline(load)
      await this.#unpublished.keep(connection, committed, 'staging')
      kept.resolve()
      await sleep(ms, undefined, { signal: this.#closing.signal }).catch(() => undefined)
      if (this.#closing.signal.aborted) return
      await this.#database.use(own => this.#unpublished.publish(own, committed))
    })
    this.#publications.add(publication)
    const done = publication.finally(() => this.#publications.delete(publication))
    if (kind === 'publish-delay') return done
    // The answer does not wait for it; a publication that fails is tried again by the next start.
    done.catch(() => undefined)
    await Promise.race([kept.promise, publication])
  }

  async #commitAtOnce(connection: DuckDBConnection, load: BegunLoad): Promise<void> {
    checkDeadline(load)
    // The table may have been altered or dropped while this load waited for its lock.
    const table = this.#catalog.table(load.database, load.table)
    const merge = mergeStatement({
      target: qualified(load.database, load.table),
      staging: 'staging',
      ordinal,
      table,
      mergeCondition: load.request.mergeCondition,
    })
    await this.#database.transaction(connection, async () => {
      await connection.run(merge)
      const entry = { txnId: load.txnId, state: 'VISIBLE' as const, reason: '' }
      await this.#labels.store(connection, load.database, load.request.label, entry)
    })
  }
}

function rowBatches(request: LoadRequest, body: Buffer): Generator<RowBatch> {
  return request.format.kind === 'json' ? jsonRows(body, request.format.shape) : csvRows(body, request.format)
}

function convertBatch(converter: RowConverter, batch: RowBatch, refuse: (line: string) => void): DuckDBValue[][] {
  const good: DuckDBValue[][] = []
  for (const row of batch.rows) {
    const converted = converter.convert(row)
    if (converted.kind === 'row') good.push(converted.values)
    else refuse(`Error: ${converted.reason}. Row: ${row.text().slice(0, limits.errorLogRowChars)}`)
  }
  return good
}

function chunkOf(types: readonly DuckDBType[], rows: readonly DuckDBValue[][], firstOrdinal: number): DuckDBDataChunk {
  const chunk = DuckDBDataChunk.create(types, rows.length)
  const columns = types.slice(1).map((_, column) => rows.map(row => row[column] as DuckDBValue))
  chunk.setColumns([rows.map((_, index) => firstOrdinal + index), ...columns])
  return chunk
}

function checkMergeCondition(table: TableDefinition, name: string | undefined): void {
  if (name === undefined) return
  const column = table.columns.find(candidate => candidate.name === name)
  if (!column) throw new LoadFailure(`Merge condition column ${name} does not exist. columns: ${names(table)}`)
  if (table.primaryKey.includes(name))
    throw new LoadFailure(`Merge condition column ${name} should not include primary key`)
  if (['varchar', 'char', 'boolean'].includes(column.type.kind)) {
    throw new LoadFailure(`Merge condition column ${name} should be a numeric or date type, not ${column.type.kind}`)
  }
}

const names = (table: TableDefinition): string => table.columns.map(column => column.name).join(',')

function judge(staged: Staged, request: LoadRequest): void {
  const total = staged.loaded + staged.refused
  if (staged.refused > request.maxFilterRatio * total) throw new LoadFailure('too many filtered rows')
  if (staged.loaded === 0) throw new LoadFailure('No rows were imported from upstream')
}

function checkDeadline(load: BegunLoad): void {
  if (performance.now() > load.deadline) throw new LoadFailure(`transaction ${load.txnId} reached its timeout`)
}

async function decompress(body: Buffer, request: LoadRequest): Promise<Buffer> {
  const maxOutputLength = maxBodyBytes(request)
  let plain = body
  if (request.compression === 'gzip') {
    try {
      plain = await promisify(gunzip)(body, { maxOutputLength })
    } catch (error) {
      throw new LoadFailure(`Failed to decompress gzip: ${(error as Error).message}`, { cause: error })
    }
  }
  if (!isUtf8(plain)) throw new LoadFailure('the body is not valid UTF-8')
  return plain
}

export const maxBodyBytes = (request: LoadRequest): number =>
  request.format.kind === 'json' ? limits.maxJsonBodyBytes : limits.maxCsvBodyBytes

function failureText(error: unknown): string {
  const expected =
    error instanceof LoadFailure ||
    error instanceof BodyError ||
    error instanceof PlanError ||
    error instanceof SqlError
  if (expected) return error.message
  return `internal error of the StarRocks stand-in: ${error instanceof Error ? error.message : String(error)}`
}
