import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineProcess } from './engine-process.ts'
import { sumsOfMetrics } from './metrics-text.ts'
import { PipelineError } from './pipeline-error.ts'
import { type EntryResult, runEntry } from './run-entry.ts'
import { type Exit, ServiceProcess } from './service-process.ts'
import {
  commonEnvironment,
  type Intervals,
  ownEnvironment,
  serviceEntries,
  type ServiceName,
  serviceNames,
  settleEntry,
} from './services.ts'

export type PipelineOptions = {
  readonly stream: string
  readonly partitions: number
  /** Logs, the engine's journal, the archive. */
  readonly dir: string
  readonly intervals: Intervals
  /** KAFKA_…, CQL_… and STARROCKS_…: where the servers are. */
  readonly servers: Readonly<Record<string, string>>
  /** ENGINE_… settings: flow, seed, users, orders. */
  readonly engine: Readonly<Record<string, string>>
}

export type PartName = 'engine' | ServiceName
/** In the order in which data pass. */
const partNames: readonly PartName[] = ['engine', ...serviceNames]

const bounds = { readyMs: 60_000, stopMs: 25_000, metricsMs: 5000, initMs: 120_000 } as const

/** A whole pipeline of one stream as child processes: the engine, the five services, and `settle` beside them. */
export class Pipeline {
  readonly archiveDir: string
  readonly engine: EngineProcess
  /** What all services and `settle` are told. */
  readonly env: Readonly<Record<string, string>>
  readonly #options: PipelineOptions
  readonly #running = new Map<PartName, { readonly process: ServiceProcess; readonly http: string | null }>()
  readonly #asked = new WeakSet<ServiceProcess>()
  readonly #failed = Promise.withResolvers<never>()

  constructor(options: PipelineOptions) {
    this.#options = options
    this.archiveDir = join(options.dir, 'archive')
    this.env = commonEnvironment({ ...options, archiveDir: this.archiveDir })
    this.engine = new EngineProcess({
      stream: options.stream,
      dir: join(options.dir, 'engine'),
      logFile: this.#logFile('engine'),
      settings: options.engine,
      readyWithinMs: bounds.readyMs,
    })
    // Whoever waits for it hears of it; nobody has to.
    this.#failed.promise.catch(() => {})
  }

  /** Makes the folders; nothing is started yet. */
  async prepare(): Promise<void> {
    await mkdir(this.archiveDir, { recursive: true })
    await mkdir(join(this.#options.dir, 'engine'), { recursive: true })
  }

  /** `settle init`. @throws PipelineError with what it said */
  async init(): Promise<EntryResult> {
    const result = await this.settle(['init'], { withinMs: bounds.initMs })
    if (result.exitCode === 0) return result
    throw new PipelineError(`settle init ended with exit code ${result.exitCode}: ${result.stderr.trim()}`, {
      exitCode: result.exitCode,
      logFile: this.#options.dir,
    })
  }

  /** Runs one `settle` command to its end. */
  settle(args: readonly string[], { withinMs }: { readonly withinMs: number }): Promise<EntryResult> {
    return runEntry(settleEntry, { args, env: this.env, withinMs })
  }

  /** The engine first, since the others are told where it serves; then all services at once. */
  async startAll(): Promise<void> {
    await this.start('engine')
    await Promise.all(serviceNames.map(name => this.start(name)))
  }

  /** @throws PipelineError when it does not become ready */
  async start(name: PartName): Promise<void> {
    if (this.#running.get(name)?.process.isRunning) return
    if (name === 'engine') {
      this.#watch(name, await this.engine.start(), null)
      return
    }
    const { service, ready } = await ServiceProcess.start({
      name,
      entry: serviceEntries[name],
      env: { ...this.env, ...ownEnvironment(name, { ...this.#options, engine: this.engine.addresses }) },
      logFile: this.#logFile(name),
      isReady: ({ msg }) => msg === 'started',
      readyWithinMs: bounds.readyMs,
    })
    this.#watch(name, service, typeof ready['http'] === 'string' ? ready['http'] : null)
  }

  /** Asks it to stop and waits. @throws PipelineError when it does not end with 0 */
  async stop(name: PartName): Promise<void> {
    const part = this.#running.get(name)
    if (!part) return
    const exit = await this.#end(part.process)
    this.#running.delete(name)
    if (exit.code !== 0) throw this.#endedBadly(name, exit)
  }

  async restart(name: PartName): Promise<void> {
    await this.stop(name)
    await this.start(name)
  }

  /** Stops all at once: each must bear it at any moment. @throws PipelineError of one that does not end with 0 */
  async stopAll(): Promise<void> {
    const ends = await Promise.allSettled(partNames.map(name => this.stop(name)))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  /** The service's metrics, summed over labels; empty while it does not answer. */
  async metrics(name: ServiceName): Promise<ReadonlyMap<string, number>> {
    const http = this.#running.get(name)?.http
    if (!http) return new Map()
    try {
      const answer = await fetch(`${http}/metrics`, { signal: AbortSignal.timeout(bounds.metricsMs) })
      return sumsOfMetrics(await answer.text())
    } catch {
      return new Map()
    }
  }

  /** Never resolves; rejects with PipelineError when a part ends that nobody asked to. */
  get failure(): Promise<never> {
    return this.#failed.promise
  }

  #watch(name: PartName, process: ServiceProcess, http: string | null): void {
    this.#running.set(name, { process, http })
    void process.ended.then(exit => {
      if (!this.#asked.has(process)) this.#failed.reject(this.#endedBadly(name, exit))
    })
  }

  #end(process: ServiceProcess): Promise<Exit> {
    this.#asked.add(process)
    return process.stop({ withinMs: bounds.stopMs })
  }

  #endedBadly(name: PartName, { code, message }: Exit): PipelineError {
    return new PipelineError(`${name} ended with exit code ${code}: ${message}`, {
      exitCode: code === 0 ? 1 : code,
      logFile: this.#logFile(name),
    })
  }

  #logFile(name: PartName): string {
    return join(this.#options.dir, `${name}.log`)
  }
}
