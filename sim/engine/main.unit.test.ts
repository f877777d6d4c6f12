import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { EngineDump } from './dump.ts'
import type { Report } from './engine-service.ts'
import { until } from './testing/running-engine.ts'
import { tempFolder } from './testing/temp-folder.ts'

const main = new URL('./main.ts', import.meta.url).pathname

type Engine = {
  readonly process: ChildProcess
  readonly reports: Report[]
  /** What it wrote on stderr so far. */
  readonly errors: () => string
  /** Its exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>
}

const start = (folder: string, environment: Record<string, string> = {}): Engine => {
  const child = spawn(process.execPath, [main], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      ENGINE_DATA_DIR: folder,
      ENGINE_USERS: '20',
      ENGINE_START_TIME: '2026-01-01T00:00:00Z',
      ENGINE_LIVE_ADDRESS: 'tcp://127.0.0.1:*',
      ENGINE_REPLAY_ADDRESS: 'tcp://127.0.0.1:*',
      ENGINE_MAX_UNACKED: '0',
      ...environment,
    },
  })
  const reports: Report[] = []
  let errors = ''
  createInterface({ input: child.stdout }).on('line', line => reports.push(JSON.parse(line) as Report))
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { process: child, reports, errors: () => errors, ended }
}

const has = ({ reports }: Engine, kind: Report['kind']) => until(() => reports.some(report => report.kind === kind))
const dumpIn = (folder: string): EngineDump => JSON.parse(readFileSync(join(folder, 'dump.json'), 'utf8')) as EngineDump

describe('the engine process', () => {
  it('reports progress and the end of its flow, stays up, and leaves on SIGTERM with 0', async () => {
    const folder = tempFolder()
    const engine = start(folder, { ENGINE_ORDERS: '500' })
    await has(engine, 'done')
    const dump = dumpIn(folder)
    expect(engine.reports.findLast(({ kind }) => kind === 'progress')).toEqual({
      ...{ kind: 'progress', orders: 500, outputs: Number(dump.outputs), of: 500 },
    })
    const [session] = dump.sessions
    expect(engine.reports.at(-1)).toEqual({
      ...{ kind: 'done', session: { epoch: '1', random: session?.random } },
      ...{ seq: dump.outputs, outputs: Number(dump.outputs) },
    })
    engine.process.kill('SIGTERM')
    engine.process.kill('SIGTERM')
    expect(await engine.ended).toBe(0)
    expect(engine.reports.at(-1)?.kind).toBe('stopped')
    expect(dumpIn(folder)).toEqual(dump)
  })

  it('leaves when it is done, whatever still holds the process', async () => {
    const holds = '--import=data:text/javascript,setInterval(()=>{},1000)'
    const engine = start(tempFolder(), { ENGINE_ORDERS: '10', NODE_OPTIONS: holds })
    await has(engine, 'done')
    engine.process.kill('SIGTERM')
    expect(await engine.ended).toBe(0)
    expect(engine.reports.at(-1)?.kind).toBe('stopped')
  })

  it('goes on when nobody reads its lines any more', async () => {
    const folder = tempFolder()
    const engine = start(folder, { ENGINE_ORDERS: '500', ENGINE_RATE: '2000' })
    await has(engine, 'ready')
    engine.process.stdout?.destroy()
    await until(() => existsSync(join(folder, 'dump.json')))
    engine.process.kill('SIGTERM')
    expect(await engine.ended).toBe(0)
  })

  it('ends with the same books, whether it runs through or is killed again and again', async () => {
    const settings = { ENGINE_ORDERS: '3000', ENGINE_SEGMENT_BYTES: '150000' }
    const whole = tempFolder()
    const through = start(whole, settings)
    await has(through, 'done')
    const folder = tempFolder()
    for (const [at, signal] of [
      [500, 'SIGKILL'],
      [1_000, 'SIGKILL'],
      [1_800, 'SIGTERM'],
      [2_600, 'SIGKILL'],
    ] as const) {
      const engine = start(folder, { ...settings, ENGINE_RATE: '10000' })
      await until(() => engine.reports.some(report => report.kind === 'progress' && report.outputs >= at))
      engine.process.kill(signal)
      expect(await engine.ended).toBe(signal === 'SIGTERM' ? 0 : null)
    }
    const last = start(folder, settings)
    await has(last, 'done')
    const { sessions, ...books } = dumpIn(folder)
    const { sessions: _, ...expected } = dumpIn(whole)
    expect(books).toEqual(expected)
    expect(sessions).toHaveLength(5)
    expect(sessions.reduce((sum, { seq }) => sum + BigInt(seq), 0n)).toBe(BigInt(expected.outputs))
  }, 120_000)
})

describe('what it refuses', () => {
  it('settings that are wrong: 2', async () => {
    const engine = start(tempFolder(), { ENGINE_USERS: 'many', ENGINE_SEED: 'x' })
    expect(await engine.ended).toBe(2)
    expect(engine.errors()).toContain('ENGINE_SEED: "x"')
    expect(engine.errors()).toContain('ENGINE_USERS: "many"')
  })

  it('a flow file with a bad line: 2', async () => {
    const file = join(tempFolder(), 'flow.csv')
    writeFileSync(file, '34200.1,1,5,100,5000,1\n34200.2,9,5,100,5000,1\n')
    const engine = start(tempFolder(), { ENGINE_FLOW_FILE: file })
    expect(await engine.ended).toBe(2)
    expect(engine.errors()).toBe(`engine: ${file}: line 2: "34200.2,9,5,100,5000,1": type "9" is not one of 1 to 7\n`)
  })

  it('a folder that was begun with another seed: 2; that another engine uses: 3', async () => {
    const folder = tempFolder()
    const first = start(folder, { ENGINE_ORDERS: '10' })
    await has(first, 'done')
    const second = start(folder)
    expect(await second.ended).toBe(3)
    expect(second.errors()).toContain(`is in use by process ${first.process.pid}`)
    first.process.kill('SIGTERM')
    await first.ended
    const third = start(folder, { ENGINE_SEED: '2' })
    expect(await third.ended).toBe(2)
    expect(third.errors()).toContain('ENGINE_SEED: 2, but the journal')
  })

  it('a journal that is damaged: 3', async () => {
    const folder = tempFolder()
    const first = start(folder, { ENGINE_ORDERS: '10' })
    await has(first, 'done')
    first.process.kill('SIGTERM')
    await first.ended
    const segment = readdirSync(folder).find(file => file.endsWith('.journal')) ?? ''
    writeFileSync(join(folder, segment), 'not a journal')
    const second = start(folder)
    expect(await second.ended).toBe(3)
    expect(second.errors()).toContain('does not begin with the header of that segment')
  })

  it('an address in use: 4', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const address = server.address()
    if (typeof address !== 'object' || !address) throw new Error('no port')
    const engine = start(tempFolder(), { ENGINE_REPLAY_ADDRESS: `tcp://127.0.0.1:${address.port}` })
    expect(await engine.ended).toBe(4)
    expect(engine.errors()).toContain(`${address.port}`)
  })
})
