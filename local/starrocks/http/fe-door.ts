import type { IncomingMessage, ServerResponse } from 'node:http'
import { checkBasicAuth, type Users } from './basic-auth.ts'
import type { Catalog } from '../store/catalog.ts'
import { type HttpListener, listenHttp, sendJson } from './http-listener.ts'
import type { Labels } from '../load/labels.ts'

export interface FeDoorOptions {
  readonly port: number
  readonly bePort: number
  readonly users: Users
  readonly catalog: Catalog
  readonly labels: Labels
}

/** The frontend's HTTP door: sends loads on to the backend, knows labels, says that it lives. */
export function openFeDoor(options: FeDoorOptions): Promise<HttpListener> {
  return listenHttp(options.port, async (request, response, expects) => {
    const url = new URL(request.url ?? '/', 'http://fe')
    if (url.pathname === '/api/health') return sendJson(response, 200, health())
    const auth = checkBasicAuth(request.headers.authorization, options.users)
    if (auth.kind === 'refused') return refuseLogin(response, auth.message)
    const path = url.pathname.split('/').map(decodeURIComponent)
    if (request.method === 'PUT' && path.length === 5 && path[1] === 'api' && path[4] === '_stream_load') {
      return redirectLoad(request, response, { expects, bePort: options.bePort })
    }
    if (request.method === 'GET' && path.length === 4 && path[1] === 'api' && path[3] === 'get_load_state') {
      return answerLoadState(response, options, path[2] as string, url.searchParams.get('label'))
    }
    const what = `${request.method} ${url.pathname}`
    sendJson(response, 404, { status: 'FAILED', code: '1', msg: `${what} is not supported by the StarRocks stand-in` })
  })
}

const health = () => ({ online_backend_num: 1, total_backend_num: 1, status: 'OK' })

function refuseLogin(response: ServerResponse, message: string): void {
  response.setHeader('WWW-Authenticate', 'Basic realm=""')
  response.setHeader('Connection', 'close')
  sendJson(response, 401, { status: 'FAILED', code: '1', msg: message })
}

/** Never sends 100: the body belongs to the backend. */
function redirectLoad(
  request: IncomingMessage,
  response: ServerResponse,
  options: { expects: 'continue' | 'nothing'; bePort: number },
): void {
  response.setHeader('Connection', 'close')
  if (options.expects === 'nothing' && request.httpVersion === '1.1') {
    const message = 'class com.starrocks.common.DdlException: There is no 100-continue header'
    return sendJson(response, 200, { Status: 'FAILED', Message: message })
  }
  response.writeHead(307, { location: `http://127.0.0.1:${options.bePort}${request.url}`, 'content-length': 0 })
  response.end()
}

function answerLoadState(
  response: ServerResponse,
  options: FeDoorOptions,
  database: string,
  label: string | null,
): void {
  if (!label) return sendJson(response, 200, { status: 'FAILED', code: '1', msg: 'No label selected.' })
  if (!options.catalog.hasDatabase(database)) {
    return sendJson(response, 200, { status: 'FAILED', code: '1', msg: `unknown database, database=${database}` })
  }
  const { state, reason } = options.labels.stateOf(database, label)
  sendJson(response, 200, { state, reason, status: 'OK', code: '0', msg: 'Success', message: 'OK' })
}
