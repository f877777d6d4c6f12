import { SingleBar } from 'cli-progress'
import { exitCodes, Stop } from '../../runtime/stop.ts'
import { Report, violationText } from './report.ts'
import { runSeed } from './run-seed.ts'
import { simSettings } from './settings.ts'
import { lineText } from './trace.ts'
import type { WorkerAnswer } from './worker.ts'
import { runInWorkers } from './workers.ts'

const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** Many seeds, until one goes wrong. */
const runMany = async (settings: { first: number; count: number; jobs: number }): Promise<number> => {
  const start = performance.now()
  const report = new Report()
  const broken: WorkerAnswer[] = []
  const bar = new SingleBar({ format: '  seeds {bar} {value}/{total}', stream: process.stderr, noTTYOutput: false })
  if (process.stderr.isTTY) bar.start(settings.count, 0)
  await runInWorkers({
    ...settings,
    onAnswer: answer => {
      report.add(answer)
      bar.increment()
      if (answer.violations.length === 0) return 'go on'
      broken.push(answer)
      return 'stop'
    },
  })
  bar.stop()
  say(report.text((performance.now() - start) / 1000))
  const { neverReached } = report
  for (const answer of broken) say(`\nseed ${answer.seed}\n${violationText(answer)}`)
  for (const state of neverReached) say(`NEVER REACHED ${state}`)
  if (broken.length > 0 || neverReached.length > 0) return 1
  say('sim: 0 violations')
  return 0
}

/** One seed with everything that happens in it. */
const replay = async (seed: number): Promise<number> => {
  const { lines, violations, hash, outputs } = await runSeed(seed)
  for (const line of lines) say(lineText(line))
  for (const { check, text } of violations) say(`VIOLATION ${check}: ${text}`)
  say(`seed ${seed}: ${violations.length} violations, ${outputs} outputs, trace ${hash}`)
  return violations.length === 0 ? 0 : 1
}

try {
  const settings = simSettings(process.env)
  process.exitCode = settings.shows === 'trace' ? await replay(settings.first) : await runMany(settings)
} catch (error) {
  const isSettings = error instanceof Stop && error.reason === 'usage'
  process.stderr.write(
    `sim: ${isSettings ? error.message : error instanceof Error ? error.stack : JSON.stringify(error)}\n`,
  )
  process.exitCode = isSettings ? exitCodes.usage : exitCodes.failed
}
