import { spawn } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'

const script = fileURLToPath(new URL('testing/child-service.ts', import.meta.url))
const node = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))

type Line = { readonly level: string; readonly msg: string; readonly [field: string]: unknown }
type Child = {
  /** Resolves with the first log line that has the message. */
  readonly line: (msg: string) => Promise<Line>
  readonly lines: Line[]
  readonly stop: () => void
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>
}

const children: { kill: (signal: 'SIGKILL') => boolean }[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
})

const start = (env: Readonly<Record<string, string>>): Child => {
  const child = spawn(node, [script], {
    env: { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'], STOP_LINGER_MS: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  const lines: Line[] = []
  const waiting: {
    readonly msg: string
    readonly resolve: (line: Line) => void
    readonly reject: (e: Error) => void
  }[] = []
  let [rest, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    const [last = '', ...whole] = (rest + chunk.toString()).split('\n').toReversed()
    rest = last
    for (const text of whole.toReversed()) {
      const line = JSON.parse(text) as Line
      lines.push(line)
      for (const { msg, resolve } of waiting) if (line.msg === msg) resolve(line)
    }
  })
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise<{ code: number | null; stderr: string }>(resolve =>
    child.on('close', code => resolve({ code, stderr })),
  )
  void ended.then(({ code }) => {
    for (const { msg, reject } of waiting) reject(new Error(`ended with ${code}, never said: ${msg}\n${stderr}`))
  })
  const line = (msg: string): Promise<Line> => {
    const found = lines.find(each => each.msg === msg)
    if (found) return Promise.resolve(found)
    return new Promise((resolve, reject) => waiting.push({ msg, resolve, reject }))
  }
  return { line, lines, ended, stop: () => void child.kill('SIGTERM') }
}

const stream = { STREAM: 'demo' }

describe.concurrent('a service that runs as a process', () => {
  test('shows its health and metrics, and ends with 0 when it is asked to', async () => {
    const child = start({ ...stream, BEHAVIOUR: 'runs' })
    const { http, service, stream: named } = await child.line('started')
    expect([service, named]).toEqual(['child', 'demo'])
    const health = await fetch(`${String(http)}/healthz`)
    expect([health.status, await health.json()]).toEqual([200, { ok: true, state: 'runs', pos: `${2n ** 62n}` }])
    const metrics = await (await fetch(`${String(http)}/metrics`)).text()
    expect(metrics).toContain('process_cpu_seconds_total{service="child",stream="demo"}')
    child.stop()
    expect(await child.ended).toEqual({ code: 0, stderr: '' })
    expect(child.lines.map(({ msg }) => msg)).toEqual(['started', 'stopping', 'stopped', 'closed'])
  })

  test('that must not go on shows why until it is asked to end', async () => {
    const child = start({ ...stream, BEHAVIOUR: 'refuses', STOP_LINGER_MS: '600000' })
    const { http } = await child.line('started')
    await child.line('n is 3 after 1')
    const health = await fetch(`${String(http)}/healthz`)
    const shown = { ok: false, state: 'ended', code: 'log-order', why: 'n is 3 after 1' }
    expect([health.status, await health.json()]).toEqual([503, shown])
    const metrics = await (await fetch(`${String(http)}/metrics`)).text()
    expect(metrics).toContain('settle_stopped{code="log-order",service="child",stream="demo"} 1')
    child.stop()
    expect((await child.ended).code).toBe(3)
  })

  test('says what nobody caught, and ends with 1', async () => {
    const child = start({ ...stream, BEHAVIOUR: 'throws-beside' })
    const line = await child.line('TypeError: in a callback')
    expect([line.level, line['code']]).toEqual(['fatal', 'unexpected'])
    expect((await child.ended).code).toBe(1)
  })

  test('ends though something still holds the process, and a second signal changes nothing', async () => {
    const child = start({ ...stream, BEHAVIOUR: 'holds-the-process' })
    await child.line('started')
    child.stop()
    await child.line('stopping')
    child.stop()
    expect((await child.ended).code).toBe(0)
    expect(child.lines.filter(({ msg }) => msg === 'stopping')).toHaveLength(1)
  })

  test('that does not drain within its bound is ended, and says so', async () => {
    const child = start({ ...stream, BEHAVIOUR: 'never-drains', DRAIN_TIMEOUT_MS: '150' })
    await child.line('started')
    child.stop()
    expect((await child.ended).code).toBe(1)
    expect(child.lines.at(-1)).toMatchObject({ level: 'error', timeoutMs: 150 })
  })
})

describe.concurrent('a service that can not go on', () => {
  test('because of its settings: all problems on stderr, no secret, 2', async () => {
    const { code, stderr } = await start({ STREAM: 'Demo', API_SECRET: 'hunter2', HTTP_PORT: 'x' }).ended
    expect(code).toBe(2)
    expect(stderr).toMatch(/^child: 4 settings are wrong:\n/)
    for (const name of ['STREAM="Demo"', 'BEHAVIOUR is not set', 'API_SECRET=…', 'HTTP_PORT="x"'])
      expect(stderr).toContain(name)
    expect(stderr).not.toContain('hunter2')
  })

  test('because its port is in use: 2, and what it opened is closed', async () => {
    const other: Server = createServer()
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    const child = start({ ...stream, BEHAVIOUR: 'runs', HTTP_PORT: `${port}` })
    expect((await child.ended).code).toBe(2)
    expect(child.lines.map(({ level, code }) => [level, code])).toContainEqual(['fatal', 'http-port'])
    expect(child.lines.map(({ msg }) => msg)).toContain('closed')
    await new Promise(resolve => other.close(resolve))
  })

  test.each([
    ['refuses-at-start', 3, 'topic-missing', 'topic t does not exist; run: settle init'],
    ['refuses', 3, 'log-order', 'n is 3 after 1'],
    ['fails', 1, 'disk-full', 'no space left'],
    ['has-a-bug', 1, 'unexpected', 'TypeError: x is not a function'],
  ])('%s: exit code %i, %s in the log', async (behaviour, exitCode, code, msg) => {
    const child = start({ ...stream, BEHAVIOUR: behaviour })
    expect((await child.ended).code).toBe(exitCode)
    const last = child.lines.filter(({ level }) => level === 'fatal')
    expect(last).toMatchObject([{ service: 'child', stream: 'demo', code, msg, err: { stack: expect.any(String) } }])
    if (behaviour === 'refuses') expect(last[0]).toMatchObject({ n: '3' })
    if (behaviour !== 'refuses-at-start') expect(child.lines.map(each => each.msg)).toContain('closed')
  })
})

test.concurrent('the log has bigints as words, errors with their stack, and nothing below its level', async () => {
  const child = start({ ...stream, BEHAVIOUR: 'reports-an-error', LOG_LEVEL: 'warn' })
  const alone = await child.line('by itself')
  expect(alone).toMatchObject({ level: 'warn', err: { type: 'Error', stack: expect.stringContaining('by itself') } })
  const reported = await child.line('reported')
  expect(reported).toMatchObject({ pos: `${2n ** 62n}`, ns: [1], err: { message: 'with fields' } })
  expect(reported['time']).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  child.stop()
  await child.ended
  expect(child.lines).toHaveLength(2)
})
