import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'
import { Stop } from './stop.ts'

/** /metrics for Prometheus and /healthz for whoever restarts processes. */
export const startHttpDoor = async ({
  host,
  port,
  metrics,
  health,
}: {
  readonly host: string
  readonly port: number
  readonly metrics: Registry
  readonly health: () => { readonly ok: boolean; readonly [detail: string]: unknown }
}): Promise<{ readonly url: string; [Symbol.asyncDispose](): Promise<void> }> => {
  const server = createServer((request, response) => {
    if (request.url === '/metrics') {
      metrics.metrics().then(
        text => response.setHeader('content-type', metrics.contentType).end(text),
        (error: unknown) => response.writeHead(500).end(String(error)),
      )
      return
    }
    if (request.url === '/healthz') {
      const answer = health()
      response.writeHead(answer.ok ? 200 : 503, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answer, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)))
      return
    }
    response.writeHead(404).end('only /metrics and /healthz live here\n')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new Stop({
          code: 'http-port',
          reason: 'usage',
          message: `HTTP_PORT=${port}: can't listen on ${host}:${port} (${cause.code}); choose a free port, or 0 for any`,
          cause,
        }),
      ),
    )
    server.listen(port, host, resolve)
  })
  const { port: bound } = server.address() as AddressInfo
  return {
    url: `http://${host}:${bound}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
