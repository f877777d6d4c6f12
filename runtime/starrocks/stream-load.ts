import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import { classifyLoad, classifyState, type LoadOutcome } from './classify.ts'
import { type Exchange, type ExchangeRequest, exchange } from './http-exchange.ts'
import { starrocksLimits as limits } from './limits.ts'
import type { LoadRequest, LoadVerdict, StreamLoadPort } from './stream-load-port.ts'

export type StreamLoadOptions = {
  /** Frontends, host:port; the next one is asked when one can't be reached. */
  readonly frontends: readonly string[]
  /** Hosts that a frontend may send us on to, host:port. */
  readonly loadHosts: readonly string[]
  readonly user: string
  readonly password: string
  /** How long the server may take for one load, in whole seconds. */
  readonly loadTimeoutMs: number
  /** `gzip` where the line to the backends is what is short. */
  readonly compression: 'none' | 'gzip'
  /** Other bounds than the usual ones, for tests. */
  readonly continueTimeoutMs?: number
}

/**
 * The Stream Load client: https://docs.starrocks.io, "STREAM LOAD". The frontend answers 307 without asking for the
 * body; a backend asks for it, or answers early. Node's `fetch` refuses to send `Expect`, hence `node:http`.
 */
export const openStreamLoad = (options: StreamLoadOptions): StreamLoadPort => new StreamLoad(options)

class StreamLoad implements StreamLoadPort {
  readonly #options: StreamLoadOptions
  readonly #authorization: string
  readonly #allowed: ReadonlySet<string>
  #frontend = 0

  constructor(options: StreamLoadOptions) {
    this.#options = options
    this.#authorization = `Basic ${Buffer.from(`${options.user}:${options.password}`).toString('base64')}`
    this.#allowed = new Set([...options.loadHosts, ...options.frontends])
  }

  async load(request: LoadRequest, signal?: AbortSignal): Promise<LoadVerdict> {
    const { loadTimeoutMs } = this.#options
    const outcome = await this.#send(
      {
        method: 'PUT',
        path: `/api/${encodeURIComponent(request.database)}/${encodeURIComponent(request.table)}/_stream_load`,
        headers: this.#loadHeaders(request),
        body: await this.#packed(request.body),
        continueTimeoutMs: this.#options.continueTimeoutMs ?? limits.continueTimeoutMs,
        totalTimeoutMs: loadTimeoutMs + limits.answerMarginMs,
        maxAnswerBytes: limits.maxAnswerBytes,
        signal,
      },
      parseAnswer,
    )
    const verdict = classifyLoad(outcome, request.rows)
    if (verdict.kind !== 'refused' || outcome.kind !== 'answered' || outcome.errorUrl === undefined) return verdict
    return { ...verdict, detail: await this.#errorLog(outcome.errorUrl) }
  }

  async labelState(
    { database, label }: { readonly database: string; readonly label: string },
    signal?: AbortSignal,
  ): Promise<LoadVerdict> {
    const answer = await this.#send(
      {
        method: 'GET',
        path: `/api/${encodeURIComponent(database)}/get_load_state?label=${encodeURIComponent(label)}`,
        headers: { authorization: this.#authorization },
        continueTimeoutMs: limits.stateTimeoutMs,
        totalTimeoutMs: limits.stateTimeoutMs,
        maxAnswerBytes: limits.maxAnswerBytes,
        signal,
      },
      parseState,
    )
    switch (answer.kind) {
      case 'state':
        return classifyState(answer.state, answer.reason)
      case 'failed':
        return { kind: 'poll', reason: answer.reason }
      case 'unreadable':
      case 'foreign-host': {
        const verdict = classifyLoad(answer, 0)
        return verdict.kind === 'fatal' ? verdict : { kind: 'poll', reason: `asking for its state: ${answer.kind}` }
      }
    }
  }

  #loadHeaders({ label, columns, form, mergeCondition }: LoadRequest): Record<string, string> {
    return {
      authorization: this.#authorization,
      label,
      format: 'csv',
      // By name: a column that was added to the table since moves nothing.
      columns: columns.map(name => `\`${name}\``).join(','),
      ...(form === 'enclosed' && { enclose: '"' }),
      // One refused row refuses the load: nothing is filtered in silence, nothing becomes NULL that was not.
      max_filter_ratio: '0',
      strict_mode: 'true',
      // Its default is Asia/Shanghai.
      timezone: 'UTC',
      timeout: String(Math.ceil(this.#options.loadTimeoutMs / 1000)),
      ...(mergeCondition !== undefined && { merge_condition: mergeCondition }),
      ...(this.#options.compression === 'gzip' && { compression: 'gzip' }),
    }
  }

  #packed(body: Buffer): Promise<Buffer> | Buffer {
    // The fastest level: it takes most of what there is to take from rows of digits.
    return this.#options.compression === 'gzip' ? packed(body, { level: constants.Z_BEST_SPEED }) : body
  }

  /** Follows redirects to hosts on the list, with the same headers. */
  async #send<T>(
    request: Omit<ExchangeRequest, 'host'>,
    parse: (answer: Answer) => T,
  ): Promise<T | Failed | Extract<LoadOutcome, { kind: 'foreign-host' }>> {
    const { frontends } = this.#options
    let host = frontends[this.#frontend % frontends.length] as string
    let path = request.path
    for (let hop = 0; hop <= limits.maxRedirects; hop++) {
      const answer = await exchange({ ...request, host, path })
      if (answer.kind === 'failed') {
        // The next attempt asks another frontend.
        if (answer.body === 'not sent') this.#frontend++
        return answer
      }
      if (answer.status !== 307 && answer.status !== 308) return parse(answer)
      const next = URL.parse(answer.location ?? '', `http://${host}`)
      if (next === null || next.protocol !== 'http:')
        return { kind: 'failed', body: 'not sent', reason: `${host} redirects to ${JSON.stringify(answer.location)}` }
      const nextHost = `${next.hostname}:${next.port === '' ? '80' : next.port}`
      if (!this.#allowed.has(nextHost))
        return { kind: 'foreign-host', host: nextHost, allowed: this.#options.loadHosts }
      host = nextHost
      path = `${next.pathname}${next.search}`
    }
    return {
      kind: 'failed',
      body: 'not sent',
      reason: `more than ${limits.maxRedirects} redirects, the last to ${host}`,
    }
  }

  /** The first lines of what the server says of refused rows; an error log that can't be had says why instead. */
  async #errorLog(errorUrl: string): Promise<string> {
    const url = URL.parse(errorUrl)
    const host = url === null ? errorUrl : `${url.hostname}:${url.port}`
    if (url === null || !this.#allowed.has(host)) return `(its error log is at ${errorUrl})`
    const answer = await exchange({
      method: 'GET',
      host,
      path: `${url.pathname}${url.search}`,
      headers: {},
      continueTimeoutMs: limits.errorLogTimeoutMs,
      totalTimeoutMs: limits.errorLogTimeoutMs,
      maxAnswerBytes: limits.maxAnswerBytes,
    })
    if (answer.kind === 'failed') return `(its error log could not be read: ${answer.reason})`
    const lines = answer.text.split('\n').filter(line => line.trim() !== '')
    return lines
      .slice(0, limits.errorLogLines)
      .map(line => line.slice(0, limits.errorLogLineChars))
      .join('\n')
  }
}

const packed = promisify(gzip)

type Answer = Extract<Exchange, { kind: 'answer' }>
type Failed = Extract<Exchange, { kind: 'failed' }>
type Unreadable = Extract<LoadOutcome, { kind: 'unreadable' }>

const parseObject = (answer: Answer): Record<string, unknown> | null => {
  try {
    const parsed: unknown = JSON.parse(answer.text)
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : null
  } catch {
    return null
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

const unreadable = ({ status, text, body }: Answer): Unreadable => ({
  kind: 'unreadable',
  httpStatus: status,
  text,
  body,
})

const parseAnswer = (answer: Answer): LoadOutcome => {
  const parsed = parseObject(answer)
  if (answer.status !== 200 || typeof parsed?.['Status'] !== 'string') return unreadable(answer)
  return {
    kind: 'answered',
    status: parsed['Status'],
    message: textOf(parsed['Message']),
    existingJobStatus: textOf(parsed['ExistingJobStatus']),
    loadedRows: Number(parsed['NumberLoadedRows'] ?? 0),
    errorUrl: textOf(parsed['ErrorURL']) || undefined,
  }
}

const parseState = (
  answer: Answer,
): { readonly kind: 'state'; readonly state: string; readonly reason: string } | Unreadable => {
  const parsed = parseObject(answer)
  if (answer.status !== 200 || typeof parsed?.['state'] !== 'string') return unreadable(answer)
  return { kind: 'state', state: parsed['state'], reason: textOf(parsed['reason']) }
}
