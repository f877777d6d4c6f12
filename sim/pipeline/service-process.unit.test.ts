import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PipelineError } from './pipeline-error.ts'
import { type ServiceCommand, ServiceProcess } from './service-process.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'settle-process-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A service that is these lines of JavaScript. */
const service = (name: string, code: string, changes: Partial<ServiceCommand> = {}): ServiceCommand => {
  const entry = join(folder, `${name}.mjs`)
  writeFileSync(entry, code)
  const logFile = join(folder, `${name}.log`)
  const isReady: ServiceCommand['isReady'] = ({ msg }) => msg === 'started'
  return { name, entry, env: { WORD: 'given' }, logFile, isReady, readyWithinMs: 10_000, ...changes }
}
const started = `console.log(JSON.stringify({ msg: 'started', http: process.env.WORD }))\n`
const stays = `setInterval(() => {}, 1000)\n`

test('is started when it says so, and stopped by SIGTERM', async () => {
  const stops = `process.on('SIGTERM', () => { console.log('bye'); process.exit(0) })\n`
  const command = service('good', stops + stays + started)
  const { service: process, ready } = await ServiceProcess.start(command)
  expect(ready['http']).toBe('given')
  expect(process.isRunning).toBe(true)
  expect(await process.stop({ withinMs: 10_000 })).toMatchObject({ code: 0 })
  expect(process.isRunning).toBe(false)
  expect(await process.stop({ withinMs: 10_000 })).toMatchObject({ code: 0 })
  expect(readFileSync(command.logFile, 'utf8')).toContain('bye')
})

test('one that ends before it serves: its last error and its exit code', async () => {
  const code = `console.log(JSON.stringify({ level: 'fatal', msg: 'no such topic' })); console.log('{}'); process.exit(3)\n`
  const failure = await ServiceProcess.start(service('bad', code)).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(PipelineError)
  expect(failure).toMatchObject({ exitCode: 3, message: expect.stringContaining('exit code 3: no such topic') })
})

test('one that says nothing in JSON: the last line before the stack', async () => {
  const code = `process.stderr.write('plain words\\n    at somewhere\\n'); process.exitCode = 2\n`
  const failure = await ServiceProcess.start(service('plain', code)).catch((error: unknown) => error)
  expect(failure).toMatchObject({ exitCode: 2, message: expect.stringContaining('plain words') })
})

test('one that never serves is ended', async () => {
  const failure = await ServiceProcess.start(service('mute', stays, { readyWithinMs: 300 })).catch(
    (error: unknown) => error,
  )
  expect(failure).toMatchObject({ message: expect.stringContaining('not ready within 300 ms') })
})

test('one that does not stop is killed, and that is no clean end', async () => {
  const { service: process } = await ServiceProcess.start(
    service('deaf', `process.on('SIGTERM', () => {})\n${stays}${started}`),
  )
  const exit = await process.stop({ withinMs: 300 })
  expect(exit.code).toBe(1)
  expect(exit.message).toContain('was killed')
})
