import { mkdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { exitCodes, Stop } from '../../runtime/stop.ts'
import type { ChaosRun } from './chaos-run.ts'
import { runBridge } from './bridge/run.ts'
import { type Report, reportText } from './report.ts'
import { runSettle } from './settle/run.ts'
import { runSink } from './sink/run.ts'
import { type ChaosSettings, chaosSettings } from './settings.ts'
import { Trace } from './trace.ts'

const runs: Readonly<Record<ChaosSettings['target'], (run: ChaosRun) => Promise<Report>>> = {
  bridge: runBridge,
  settle: runSettle,
  sink: runSink,
}
const clone = resolve(import.meta.dirname, '../..')
const say = (text: string): void => void process.stdout.write(`${text}\n`)

const main = async (signal: AbortSignal): Promise<number> => {
  const settings = chaosSettings(process.env)
  const { target, seed, durationMs } = settings
  const dir = join(clone, '.data', 'chaos', `${target}-${seed}-${Date.now().toString(36)}`)
  await mkdir(dir, { recursive: true })
  const again = `make chaos TARGET=${target} DURATION_S=${durationMs / 1000} SEED=${seed}`
  const where = `the logs of all processes and trace.log are in ${relative(process.cwd(), dir)}`
  say(`chaos: ${again}; ${where}`)
  const trace = new Trace(join(dir, 'trace.log'))
  try {
    const report = await runs[target]({ settings, dir, env: process.env, trace, signal, say })
    say(reportText(report))
    for (const violation of report.violations) say(`VIOLATION ${violation}`)
    for (const problem of report.shortfalls) say(`NOT ENOUGH ${problem}`)
    const isGood = report.violations.length === 0 && report.shortfalls.length === 0
    say(isGood ? `chaos: 0 violations, seed ${seed}` : `chaos: failed; again with \`${again}\`; ${where}`)
    return isGood ? 0 : 1
  } catch (error) {
    for (const violation of trace.violations) say(`VIOLATION ${violation}`)
    if (!signal.aborted) say(`chaos: ${where}`)
    throw error
  } finally {
    await trace.close()
  }
}

const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopping.abort())
try {
  process.exitCode = await main(stopping.signal)
} catch (error) {
  const isSettings = error instanceof Stop && error.reason === 'usage'
  if (stopping.signal.aborted) process.stderr.write('chaos: interrupted; what it started is ended\n')
  else
    process.stderr.write(
      `chaos: ${isSettings ? error.message : String(error instanceof Error ? error.stack : error)}\n`,
    )
  process.exitCode = stopping.signal.aborted ? 130 : isSettings ? exitCodes.usage : exitCodes.failed
}
// Sockets of clients in the middle of a retry may hold the process; everything has been said.
setTimeout(() => process.exit(), 2000).unref()
