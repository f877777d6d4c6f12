import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkBasicAuth, type Users } from './basic-auth.ts'
import type { Catalog } from '../store/catalog.ts'
import type { Faults } from '../faults.ts'
import type { ErrorLogs } from '../load/error-logs.ts'
import { type Listener, listenHttp, sendJson } from './http-listener.ts'
import type { Labels } from '../load/labels.ts'
import { limits } from '../limits.ts'
import { type LoadRequest, parseLoadHeaders } from '../load/load-headers.ts'
import {
  type BegunLoad,
  frontendGone,
  type LoadOutcome,
  type LoadTarget,
  maxBodyBytes,
  type StreamLoads,
} from '../load/stream-load.ts'

export interface BeDoorOptions {
  readonly port: number
  readonly users: Users
  readonly catalog: Catalog
  readonly labels: Labels
  readonly loads: StreamLoads
  readonly errorLogs: ErrorLogs
  readonly faults: Faults
  readonly frontendState: () => 'up' | 'down'
}

/** The backend's HTTP door: Stream Load itself, and the rows that loads refused. */
export async function openBeDoor(options: BeDoorOptions): Promise<Listener> {
  const door = new BeDoor(options)
  const listener = await listenHttp(options.port, (request, response, expects) =>
    door.handle(request, response, expects),
  )
  door.port = listener.port
  return listener
}

/** Either the answer that the headers alone earn, or a load that may send its body. */
type Beginning =
  | { readonly kind: 'answer'; readonly answer: object }
  | { readonly kind: 'begun'; readonly load: BegunLoad }

const answer = (label: string, message: string): Beginning => ({ kind: 'answer', answer: failed(label, message) })

class BeDoor {
  port = 0
  readonly #options: BeDoorOptions
  #bytesInFlight = 0

  constructor(options: BeDoorOptions) {
    this.#options = options
  }

  async handle(request: IncomingMessage, response: ServerResponse, expects: 'continue' | 'nothing'): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://be')
    const path = url.pathname.split('/').map(decodeURIComponent)
    if (request.method === 'PUT' && path.length === 5 && path[1] === 'api' && path[4] === '_stream_load') {
      const target = { database: path[2] as string, table: path[3] as string }
      return this.#streamLoad(target, { request, response, expects })
    }
    if (request.method === 'GET' && url.pathname === '/api/_load_error_log') {
      return this.#errorLog(response, url.searchParams.get('file') ?? '')
    }
    if (request.method === 'GET' && url.pathname === '/api/health') return sendJson(response, 200, { status: 'OK' })
    const what = `${request.method} ${url.pathname}`
    sendJson(response, 404, { status: 'FAILED', msg: `${what} is not supported by the StarRocks stand-in` })
  }

  async #streamLoad(
    target: LoadTarget,
    exchange: { request: IncomingMessage; response: ServerResponse; expects: 'continue' | 'nothing' },
  ): Promise<void> {
    const { request, response } = exchange
    const started = performance.now()
    const begun = this.#begin(target, request, started)
    if (begun.kind === 'answer') {
      // Before any 100: a client that waits for it must read this instead.
      response.setHeader('Connection', 'close')
      return sendJson(response, 200, begun.answer)
    }
    const { load } = begun
    await slowed(load)
    if (exchange.expects === 'continue') response.writeContinue()
    let body: Buffer | undefined
    try {
      body = await this.#readBody(request, load)
    } catch (error) {
      this.#options.loads.abort(load, (error as Error).message)
      response.setHeader('Connection', 'close')
      return sendJson(response, 200, failed(load.request.label, (error as Error).message, load.txnId))
    }
    const received = performance.now()
    const bytes = body.length
    try {
      const outcome = await this.#options.loads.run(load, body)
      await slowed(load)
      if (outcome.answer === 'cut') response.destroy()
      else sendJson(response, 200, this.#answer(load, outcome, { bytes, started, received }))
    } finally {
      this.#bytesInFlight -= bytes
    }
  }

  /** Everything that can be said from the headers alone. */
  #begin(target: LoadTarget, request: IncomingMessage, started: number): Beginning {
    const parsed = parseLoadHeaders(request.headers)
    const label = parsed.kind === 'load' ? parsed.request.label : parsed.label
    const auth = checkBasicAuth(request.headers.authorization, this.#options.users)
    if (auth.kind === 'refused') return answer(label, auth.message)
    if (parsed.kind === 'refused') return answer(label, parsed.message)
    const tooLarge = sizeRefusal(parsed.request, Number(request.headers['content-length'] ?? 0))
    if (tooLarge !== undefined) return answer(label, tooLarge)
    const { catalog, labels, faults, frontendState } = this.#options
    if (frontendState() === 'down') return answer(label, frontendGone)
    if (!catalog.hasDatabase(target.database)) return answer(label, `unknown database, database=${target.database}`)
    if (catalog.relations(target.database).get(target.table)?.kind !== 'table') {
      return answer(label, `unknown table, database=${target.database}, table=${target.table}`)
    }
    const begun = labels.begin(target.database, label)
    switch (begun.kind) {
      case 'begun': {
        const deadline = started + parsed.request.timeoutMs
        const fault = faults.strike(target.table)
        return { kind: 'begun', load: { ...target, request: parsed.request, txnId: begun.txnId, deadline, fault } }
      }
      case 'exists':
        return { kind: 'answer', answer: labelExists(label, begun.existing) }
      case 'too many':
        return answer(
          label,
          `current running txns on db ${target.database} is ${begun.running}, larger than limit ${limits.maxRunningLoadsPerDatabase}`,
        )
    }
  }

  /** The whole body, counted in flight until the load is over. @throws Error when it is cut, too large or too slow */
  async #readBody(request: IncomingMessage, load: BegunLoad): Promise<Buffer> {
    const chunks: Buffer[] = []
    let bytes = 0
    const timer = setTimeout(
      () => request.destroy(new Error(`transaction ${load.txnId} reached its timeout`)),
      Math.max(0, load.deadline - performance.now()),
    )
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        bytes += chunk.length
        this.#bytesInFlight += chunk.length
        const refusal = sizeRefusal(load.request, bytes)
        if (refusal !== undefined) throw new Error(refusal)
        if (this.#bytesInFlight > limits.maxBodyBytesInFlight) {
          throw new Error(`Memory of stream load exceed limit: ${limits.maxBodyBytesInFlight} bytes are in flight`)
        }
        chunks.push(chunk)
      }
      return Buffer.concat(chunks, bytes)
    } catch (error) {
      this.#bytesInFlight -= bytes
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  #answer(load: BegunLoad, outcome: LoadOutcome, times: { bytes: number; started: number; received: number }): object {
    const now = performance.now()
    const errorUrl = outcome.errorLog && `http://127.0.0.1:${this.port}/api/_load_error_log?file=${outcome.errorLog}`
    return {
      ...counts(load.txnId, load.request.label, outcome),
      LoadBytes: times.bytes,
      LoadTimeMs: Math.round(now - times.started),
      BeginTxnTimeMs: 0,
      StreamLoadPlanTimeMs: 0,
      ReadDataTimeMs: Math.round(times.received - times.started),
      WriteDataTimeMs: Math.round(now - times.received),
      CommitAndPublishTimeMs: 0,
      ...(errorUrl ? { ErrorURL: errorUrl } : {}),
    }
  }

  #errorLog(response: ServerResponse, name: string): void {
    const log = this.#options.errorLogs.get(name)
    const text = log ?? `error log ${name} is not there: it never was, or was forgotten\n`
    response.writeHead(log === undefined ? 404 : 200, { 'content-type': 'text/plain; charset=utf-8' })
    response.end(text)
  }
}

const slowed = async ({ fault }: BegunLoad): Promise<void> => {
  if (fault?.kind === 'slow') await sleep(fault.ms)
}

function counts(txnId: number, label: string, outcome: LoadOutcome) {
  return {
    TxnId: txnId,
    Label: label,
    Status: outcome.status,
    Message: outcome.message,
    NumberTotalRows: outcome.totalRows,
    NumberLoadedRows: outcome.loadedRows,
    NumberFilteredRows: outcome.filteredRows,
    NumberUnselectedRows: 0,
  }
}

const noRows = { totalRows: 0, loadedRows: 0, filteredRows: 0, errorLog: undefined, answer: 'given' } as const

const noTimes = {
  LoadBytes: 0,
  LoadTimeMs: 0,
  BeginTxnTimeMs: 0,
  StreamLoadPlanTimeMs: 0,
  ReadDataTimeMs: 0,
  WriteDataTimeMs: 0,
  CommitAndPublishTimeMs: 0,
}

function failed(label: string, message: string, txnId = -1): object {
  return { ...counts(txnId, label, { ...noRows, status: 'Fail', message }), ...noTimes }
}

function labelExists(label: string, existing: 'RUNNING' | 'FINISHED'): object {
  const message = `Label [${label}] has already been used.`
  const shape = counts(-1, label, { ...noRows, status: 'Fail', message })
  return { ...shape, Status: 'Label Already Exists', ExistingJobStatus: existing, ...noTimes }
}

function sizeRefusal(request: LoadRequest, bytes: number): string | undefined {
  const max = maxBodyBytes(request)
  if (bytes <= max) return undefined
  return request.format.kind === 'json'
    ? `The size of this batch exceed the max size [${max}]  of json type data  data [ ${bytes} ]`
    : `body exceed max size: ${max}, data: ${bytes}`
}
