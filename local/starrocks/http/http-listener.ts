import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { limits } from '../limits.ts'

export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  expects: 'continue' | 'nothing',
) => Promise<void>

/** A bound HTTP door. */
export interface Listener extends AsyncDisposable {
  readonly port: number
}

export interface HttpListener extends Listener {
  /** Closes at once, whatever is under way. */
  cut(): Promise<void>
}

/** Listens on the loopback only; `port` 0 chooses a free one. A handler that throws answers 500 with its message. */
export async function listenHttp(port: number, handler: Handler): Promise<HttpListener> {
  const server = createServer()
  const handle = (request: IncomingMessage, response: ServerResponse, expects: 'continue' | 'nothing') => {
    handler(request, response, expects).catch((error: Error) => {
      if (response.headersSent) response.destroy()
      else sendJson(response, 500, { status: 'FAILED', msg: error.message })
    })
  }
  server.on('request', (request, response) => handle(request, response, 'nothing'))
  server.on('checkContinue', (request, response) => handle(request, response, 'continue'))
  server.requestTimeout = 0
  await listening(server, port)
  return {
    port: (server.address() as AddressInfo).port,
    async cut() {
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise(resolve => server.close(resolve))
      // Requests under way are answered first: a load that is cut off is one whose end its client must find out.
      const cutOff = setTimeout(() => server.closeAllConnections(), limits.drainTimeoutMs)
      await closed
      clearTimeout(cutOff)
    },
  }
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length })
  response.end(body)
}
