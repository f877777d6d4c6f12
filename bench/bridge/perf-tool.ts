import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { jars } from '../../local/jar-cache.ts'
import { kafka } from '../../local/kafka.ts'
import { findJava } from '../../local/machine-check.ts'
import { type Environment, settingsFrom } from '../../local/settings.ts'
import { payloadBytes } from './outputs.ts'

const run = promisify(execFile)
const timeoutMs = 120_000

/** Comparable with what one of our commits takes under load. */
export const transactionMs = 50

export type PerfTool = (count: number) => Promise<number>

/** Kafka's own `ProducerPerformance` with transactions, from the jars of the broker; each call is a JVM of its own. */
export const openPerfTool = async ({
  env,
  brokers,
  topic,
}: {
  readonly env: Environment
  readonly brokers: readonly string[]
  readonly topic: string
}): Promise<PerfTool> => {
  if (!kafka.jarSet) throw new Error('Kafka has no jars')
  const { file } = await findJava(env)
  const folder = await jars(kafka.jarSet, settingsFrom(env))
  const common = ['-Xmx256m', '-cp', join(folder, '*'), 'org.apache.kafka.tools.ProducerPerformance']
  const transactional = ['--transactional-id', `${topic}.perf`, '--transaction-duration-ms', `${transactionMs}`]
  const producer = ['--producer-props', `bootstrap.servers=${brokers.join(',')}`, 'acks=all']
  return async count => {
    const size = ['--topic', topic, '--num-records', `${count}`, '--record-size', `${payloadBytes}`]
    const args = [...common, ...size, '--throughput', '-1', ...transactional, ...producer]
    const { stdout } = await run(file, args, { timeout: timeoutMs })
    return perfToolRate(stdout)
  }
}

/** Records a second over the whole of its run. @throws Error when it did not say */
export const perfToolRate = (stdout: string): number => {
  const last = stdout.trim().split('\n').at(-1) ?? ''
  const rate = /^\d+ records sent, ([\d.]+) records\/sec /.exec(last)?.[1]
  if (rate === undefined || !last.includes('99th')) throw new Error(`ProducerPerformance said no rate: ${stdout}`)
  return Number(rate)
}
