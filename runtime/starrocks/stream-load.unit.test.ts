import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { openStreamLoad } from './stream-load.ts'
import type { LoadRequest, StreamLoadPort } from './stream-load-port.ts'

type Script = (exchange: {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly expects: 'continue' | 'nothing'
}) => void | Promise<void>

type Server = {
  readonly address: string
  readonly seen: { readonly url: string; readonly headers: IncomingHttpHeaders }[]
  script: Script
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map(close => close()))
})

/** A server that does what its script says, and nothing by itself: no 100, no answer. */
const serve = async (script: Script): Promise<Server> => {
  const handle = (expects: 'continue' | 'nothing') => (request: IncomingMessage, response: ServerResponse) => {
    made.seen.push({ url: request.url ?? '', headers: request.headers })
    void made.script({ request, response, expects })
  }
  const server = createServer(handle('nothing')).on('checkContinue', handle('continue'))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  const made: Server = { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen: [], script }
  return made
}

const json = (response: ServerResponse, body: object): void => {
  response.end(JSON.stringify(body))
}
const success = { Status: 'Success', Message: 'OK', NumberLoadedRows: 2, NumberFilteredRows: 0 }

const readBody = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const redirectTo =
  (address: () => string): Script =>
  ({ request, response }) => {
    response.writeHead(307, { location: `http://${address()}${request.url}`, connection: 'close' }).end()
  }

const request: LoadRequest = {
  database: 'db',
  table: 'trades',
  label: 'db_trades_1',
  columns: ['trade_id', 'time'],
  form: 'plain',
  body: Buffer.from('1\ta\n2\tb\n'),
  rows: 2,
}

/** A frontend that sends loads to a backend that follows `script`. */
const cluster = async (
  script: Script,
  {
    allow = 'backend',
    compression = 'none',
    // Long, but for who waits for it to run out: the machine may be busy.
    continueTimeoutMs = 10_000,
  }: { readonly allow?: string; readonly compression?: 'none' | 'gzip'; readonly continueTimeoutMs?: number } = {},
) => {
  const backend = await serve(script)
  const frontend = await serve(redirectTo(() => backend.address))
  const port = openStreamLoad({
    frontends: [frontend.address],
    loadHosts: [allow === 'backend' ? backend.address : allow],
    user: 'loader',
    password: 'secret',
    loadTimeoutMs: 1000,
    compression,
    continueTimeoutMs,
  })
  return { frontend, backend, port }
}

const takeBody =
  (answer: (body: string, response: ServerResponse) => void): Script =>
  async ({ request, response }) => {
    response.writeContinue()
    answer(await readBody(request), response)
  }

describe('openStreamLoad', () => {
  it('sends headers to the frontend, and the body only to the backend that asks for it', async () => {
    let body = ''
    const { frontend, backend, port } = await cluster(
      takeBody((text, response) => {
        body = text
        json(response, success)
      }),
    )
    expect(await port.load({ ...request, mergeCondition: 'pos' })).toEqual({ kind: 'done' })
    expect(body).toBe('1\ta\n2\tb\n')
    for (const { seen } of [frontend, backend]) {
      expect(seen.map(each => each.url)).toEqual(['/api/db/trades/_stream_load'])
      expect(seen[0]?.headers).toMatchObject({
        authorization: `Basic ${Buffer.from('loader:secret').toString('base64')}`,
        expect: '100-continue',
        'content-length': '8',
        label: 'db_trades_1',
        format: 'csv',
        columns: '`trade_id`,`time`',
        max_filter_ratio: '0',
        strict_mode: 'true',
        timezone: 'UTC',
        timeout: '1',
        merge_condition: 'pos',
      })
      expect(seen[0]?.headers).not.toHaveProperty('enclose')
      expect(seen[0]?.headers).not.toHaveProperty('compression')
    }
  })

  it('says that fields are enclosed when they are', async () => {
    const { backend, port } = await cluster(takeBody((_, response) => json(response, success)))
    await port.load({ ...request, form: 'enclosed' })
    expect(backend.seen[0]?.headers).toMatchObject({ enclose: '"' })
  })

  it('packs the body where it was told to, and says so', async () => {
    let body = ''
    const script: Script = async ({ request: asked, response }) => {
      response.writeContinue()
      body = gunzipSync(await buffer(asked)).toString()
      json(response, success)
    }
    const { backend, port } = await cluster(script, { compression: 'gzip' })
    expect(await port.load(request)).toEqual({ kind: 'done' })
    expect(body).toBe('1\ta\n2\tb\n')
    expect(backend.seen[0]?.headers).toMatchObject({ compression: 'gzip' })
  })

  it('takes an answer that comes before any 100', async () => {
    const { port } = await cluster(({ response }) =>
      json(response, {
        Status: 'Label Already Exists',
        ExistingJobStatus: 'FINISHED',
        Message: 'Label [db_trades_1] has already been used.',
      }),
    )
    expect(await port.load(request)).toMatchObject({ kind: 'committed' })
  })

  it('never sends a body that nobody asked for: it did not happen', async () => {
    const { port } = await cluster(() => {}, { continueTimeoutMs: 300 })
    expect(await port.load(request)).toMatchObject({
      kind: 'retry',
      reason: expect.stringMatching(/neither an answer nor 100 Continue within 300 ms/),
    })
  })

  it('refuses to follow to a host that is not on the list, and sends it nothing', async () => {
    const { backend, port } = await cluster(
      takeBody((_, response) => json(response, success)),
      { allow: 'other:8040' },
    )
    expect(await port.load(request)).toMatchObject({
      kind: 'fatal',
      code: 'starrocks-load-host',
      reason: expect.stringContaining(`${backend.address}, which is not in STARROCKS_LOAD_HOSTS (other:8040)`),
    })
    expect(backend.seen).toEqual([])
  })

  it('follows a frontend to its leader, but not in circles', async () => {
    const { frontend, port } = await cluster(() => {})
    frontend.script = redirectTo(() => frontend.address)
    expect(await port.load(request)).toMatchObject({ kind: 'retry', reason: expect.stringContaining('redirects') })
    expect(frontend.seen.length).toBe(4)
  })

  it.each([
    ['drops the connection', (response: ServerResponse) => response.destroy()],
    ['stops answering', () => {}],
    [
      'breaks off its answer',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('{"Status":', () => response.destroy())
      },
    ],
    ['answers what is no JSON', (response: ServerResponse) => response.end('<html>')],
  ])(
    'is in doubt when the backend takes the body and %s',
    async (_, act) => {
      const { port } = await cluster(
        takeBody((_text, response) => {
          act(response)
        }),
      )
      expect(await port.load(request)).toMatchObject({ kind: 'poll' })
    },
    10_000,
  )

  it('is in doubt when it is cut while the backend works', async () => {
    const cut = new AbortController()
    const { port } = await cluster(takeBody(() => cut.abort()))
    expect(await port.load(request, cut.signal)).toMatchObject({ kind: 'poll' })
  })

  it('fetches what the backend says of refused rows, from hosts on the list only', async () => {
    const { backend, port } = await cluster(() => {})
    const refuse = (errorUrl: string): Script =>
      takeBody((_, response) =>
        json(response, {
          Status: 'Fail',
          Message: 'too many filtered rows',
          NumberFilteredRows: 1,
          ErrorURL: errorUrl,
        }),
      )
    const url = `http://${backend.address}/api/_load_error_log?file=1`
    const load = refuse(url)
    backend.script = exchange => {
      if (exchange.request.method !== 'GET') return load(exchange)
      exchange.response.end('Error: the value is odd. Row: 1\n\nError: two\n')
      return undefined
    }
    expect(await port.load(request)).toEqual({
      kind: 'refused',
      reason: 'Fail: too many filtered rows',
      detail: 'Error: the value is odd. Row: 1\nError: two',
    })
    expect(backend.seen.at(-1)?.headers).not.toHaveProperty('authorization')
    backend.script = refuse('http://elsewhere:80/log')
    expect(await port.load(request)).toMatchObject({ detail: '(its error log is at http://elsewhere:80/log)' })
  })

  it('asks another frontend when one can not be reached', async () => {
    const { frontend, backend } = await cluster(takeBody((_, response) => json(response, success)))
    const port: StreamLoadPort = openStreamLoad({
      frontends: ['127.0.0.1:1', frontend.address],
      loadHosts: [backend.address],
      user: 'loader',
      password: '',
      loadTimeoutMs: 1000,
      compression: 'none',
    })
    expect(await port.load(request)).toMatchObject({ kind: 'retry', reason: expect.stringContaining('ECONNREFUSED') })
    expect(await port.load(request)).toEqual({ kind: 'done' })
  })

  it('asks for the state of a label, with credentials', async () => {
    const { frontend, port } = await cluster(() => {})
    frontend.script = ({ response }) =>
      json(response, { state: 'ABORTED', reason: 'timeout by txn manager', status: 'OK' })
    expect(await port.labelState(request)).toEqual({ kind: 'retry', reason: 'aborted: timeout by txn manager' })
    expect(frontend.seen[0]).toMatchObject({
      url: '/api/db/get_load_state?label=db_trades_1',
      headers: { authorization: expect.stringContaining('Basic ') },
    })
    frontend.script = ({ response }) => {
      response.destroy()
    }
    expect(await port.labelState(request)).toMatchObject({ kind: 'poll' })
    frontend.script = ({ response }) => json(response, { status: 'FAILED', msg: 'no' })
    expect(await port.labelState(request)).toMatchObject({ kind: 'poll' })
    frontend.script = ({ response }) => {
      response.writeHead(401).end('{}')
    }
    expect(await port.labelState(request)).toMatchObject({ kind: 'fatal', code: 'starrocks-access' })
  })
})
