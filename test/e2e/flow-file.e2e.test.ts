import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lobsterSample } from '../../sim/engine/flow/lobster-sample.ts'

const run = promisify(execFile)
const clone = resolve(import.meta.dirname, '../..')
const demoMs = 400_000
/** The packages are here, since this runs; make must not exchange them under the tests. */
const asInstalled = ['-o', 'node_modules/.package-lock.json']

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'settle-flow-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('make demo replays a recorded market and tries its own queries', async () => {
  const file = join(folder, 'ACME_2026-01-05_message.csv')
  const lines = [...lobsterSample({ seed: 11n, messages: 4000 })]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const { stdout } = await run('make', [...asInstalled, 'demo', `FLOW=${file}`, 'USERS=40'], {
    cwd: clone,
    timeout: demoMs,
    maxBuffer: 64 * 1024 * 1024,
  })
  expect(stdout).toMatch(/^verify: equal$/m)
  expect(stdout).toContain("covers the log's last Output")
  expect(stdout).toMatch(/Against the engine's own books: \d+ balances and \d+ open orders, 0 differences/)
  const submitted = lines.filter(line => line.split(',')[1] === '1').length
  const counted = [...stdout.matchAll(/orders that are \w+ +│ +(\d+)/g)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  )
  // Executions are orders of their own, of the other side.
  expect(counted).toBeGreaterThan(submitted)
  expect(stdout).toContain('candles_1m')
  expect(stdout).toMatch(/^pos,idx,time,trade,/m)
})
