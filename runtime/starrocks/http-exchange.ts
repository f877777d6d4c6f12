import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { BodyState } from './classify.ts'

export type ExchangeRequest = {
  readonly method: 'PUT' | 'GET'
  readonly host: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Sent only when the server asks for it with `100 Continue`. */
  readonly body?: Buffer
  /** How long the server may take to ask for the body, or to answer without it. */
  readonly continueTimeoutMs: number
  /** How long everything together may take. */
  readonly totalTimeoutMs: number
  readonly maxAnswerBytes: number
  readonly signal?: AbortSignal | undefined
}

export type Exchange =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly location: string | undefined
      readonly text: string
      readonly body: BodyState
    }
  | { readonly kind: 'failed'; readonly reason: string; readonly body: BodyState }

/**
 * One HTTP request and whatever came of it; never rejects. With a body it says `Expect: 100-continue` and sends the
 * body only when asked: a server may answer, or send us elsewhere, without ever asking.
 */
export const exchange = (options: ExchangeRequest): Promise<Exchange> =>
  new Promise(resolve => {
    let body: BodyState = 'not sent'
    const request = httpRequest(`http://${options.host}${options.path}`, {
      method: options.method,
      agent: false,
      headers: {
        ...options.headers,
        ...(options.body && { expect: '100-continue', 'content-length': String(options.body.length) }),
      },
      ...(options.signal && { signal: options.signal }),
    })
    const expire = (ms: number, what: string): NodeJS.Timeout =>
      setTimeout(() => request.destroy(new Error(`${what} within ${ms} ms`)), ms)
    const total = expire(options.totalTimeoutMs, 'no complete answer')
    const first = expire(options.continueTimeoutMs, 'neither an answer nor 100 Continue')
    const finish = (result: Exchange): void => {
      clearTimeout(total)
      clearTimeout(first)
      // An early answer leaves the request half sent, and a redirect unsent: the connection is of no more use.
      request.destroy()
      resolve(result)
    }
    const fail = (error: Error): void => finish({ kind: 'failed', reason: `${options.host}: ${error.message}`, body })
    request.on('continue', () => {
      clearTimeout(first)
      body = 'sent'
      request.end(options.body)
    })
    request.on('response', response => {
      clearTimeout(first)
      readText(response, options.maxAnswerBytes).then(
        text => {
          const { statusCode: status = 0, headers } = response
          finish({ kind: 'answer', status, location: headers.location, text, body })
        },
        (error: unknown) => fail(error instanceof Error ? error : new Error(String(error))),
      )
    })
    request.on('error', fail)
    // Headers alone; the body waits for the server's word.
    if (options.body) request.flushHeaders()
    else request.end()
  })

const readText = async (response: IncomingMessage, maxBytes: number): Promise<string> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
