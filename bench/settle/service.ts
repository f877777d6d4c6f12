import { join } from 'node:path'
import { ServiceProcess } from '../../sim/pipeline/service-process.ts'
import {
  commonEnvironment,
  type EngineAddresses,
  type Intervals,
  ownEnvironment,
  serviceEntries,
  type ServiceName,
} from '../../sim/pipeline/services.ts'
import { outDir } from '../report.ts'
import { exchangeSize } from './exchange.ts'

const bounds = { readyMs: 60_000, stopMs: 60_000, metricsMs: 60_000 } as const

/** Where a stream's services are, and what all of them are told. */
export type Place = {
  readonly stream: string
  readonly servers: Readonly<Record<string, string>>
  readonly intervals: Intervals
  readonly archiveDir: string
}

/** The longest session there is: a process that stands still between two drains stays a member of its group. */
export const patient = (place: Place): Place => ({
  ...place,
  servers: { ...place.servers, KAFKA_SESSION_TIMEOUT_MS: '300000' },
})

export const environmentOf = (place: Place): Readonly<Record<string, string>> =>
  commonEnvironment({ ...place, partitions: exchangeSize.partitions })

/** One of the five services as anybody starts it. */
export class BenchService {
  readonly #process: ServiceProcess
  readonly #http: string

  private constructor(process: ServiceProcess, http: string) {
    this.#process = process
    this.#http = http
  }

  static async start(
    name: ServiceName,
    place: Place,
    engine: EngineAddresses = { live: 'tcp://127.0.0.1:1', replay: 'tcp://127.0.0.1:1' },
  ): Promise<BenchService> {
    const { service, ready } = await ServiceProcess.start({
      name,
      entry: serviceEntries[name],
      env: { ...environmentOf(place), ...ownEnvironment(name, { intervals: place.intervals, engine }) },
      logFile: join(outDir, `${place.stream}.${name}.log`),
      isReady: ({ msg }) => msg === 'started',
      readyWithinMs: bounds.readyMs,
    })
    return new BenchService(service, String(ready['http']))
  }

  get name(): string {
    return this.#process.name
  }

  get pid(): number {
    return this.#process.pid
  }

  /** Never resolves; rejects with its last words when it has ended. */
  async died(): Promise<never> {
    const { code, message } = await this.#process.ended
    throw new Error(`${this.#process.name} ended with exit code ${code}: ${message} (${this.#process.logFile})`)
  }

  /** Its metrics in Prometheus' text. @throws Error when it ended, with its last words */
  async metrics(): Promise<string> {
    if (!this.#process.isRunning) return this.died()
    // A connection that was kept may be closed while the next question is on its way.
    const headers = { connection: 'close' }
    const answer = await fetch(`${this.#http}/metrics`, { headers, signal: AbortSignal.timeout(bounds.metricsMs) })
    return answer.text()
  }

  /** SIGSTOP, and SIGCONT. */
  standStill(): void {
    process.kill(this.pid, 'SIGSTOP')
  }
  goOn(): void {
    process.kill(this.pid, 'SIGCONT')
  }

  /** Also one that stands still. @throws Error when it does not end with 0 */
  async stop(): Promise<void> {
    if (this.#process.isRunning) this.goOn()
    const { code, message } = await this.#process.stop({ withinMs: bounds.stopMs })
    if (code !== 0) throw new Error(`${this.#process.name} ended with exit code ${code}: ${message}`)
  }

  /** For the way out after a failure. */
  async kill(): Promise<void> {
    if (this.#process.isRunning) await this.#process.stop({ withinMs: 1 })
  }
}
