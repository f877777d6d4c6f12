import { join } from 'node:path'
import { inheritedEnvironment } from './inherited-environment.ts'
import { PipelineError } from './pipeline-error.ts'
import { type Exit, type Line, ServiceProcess } from './service-process.ts'
import { type EngineAddresses, engineEntry } from './services.ts'

export type EngineOptions = {
  readonly stream: string
  /** Its journal and its dump. */
  readonly dir: string
  readonly logFile: string
  /** ENGINE_… settings beyond folder, stream and addresses. */
  readonly settings: Readonly<Record<string, string>>
  readonly readyWithinMs: number
}

export type EngineProgress = {
  readonly orders: number
  readonly outputs: number
  /** null: as many as the flow holds. */
  readonly of: number | null
  readonly isDone: boolean
}

/** The engine simulator as a child process. It keeps its journal, addresses and progress over restarts. */
export class EngineProcess {
  readonly dumpFile: string
  readonly #options: EngineOptions
  readonly #done = Promise.withResolvers<void>()
  #process: ServiceProcess | null = null
  #addresses: EngineAddresses | null = null
  #progress: EngineProgress = { orders: 0, outputs: 0, of: null, isDone: false }

  constructor(options: EngineOptions) {
    this.#options = options
    this.dumpFile = join(options.dir, 'dump.json')
  }

  /** Free ports at the first start, the same ones at each later start. */
  async start(): Promise<ServiceProcess> {
    const { stream, dir, logFile, settings, readyWithinMs } = this.#options
    const { service, ready } = await ServiceProcess.start({
      name: 'engine',
      entry: engineEntry,
      env: {
        ...inheritedEnvironment(),
        ...settings,
        ENGINE_STREAM: stream,
        ENGINE_DATA_DIR: dir,
        ENGINE_DUMP_FILE: this.dumpFile,
        ENGINE_LIVE_ADDRESS: this.#addresses?.live ?? 'tcp://127.0.0.1:*',
        ENGINE_REPLAY_ADDRESS: this.#addresses?.replay ?? 'tcp://127.0.0.1:*',
      },
      logFile,
      isReady: ({ kind }) => kind === 'ready',
      onLine: line => this.#read(line),
      readyWithinMs,
    })
    const { live, replay } = ready
    if (typeof live !== 'string' || typeof replay !== 'string')
      throw new PipelineError('engine did not say where it serves', { exitCode: 1, logFile })
    this.#addresses = { live, replay }
    this.#process = service
    return service
  }

  /** Where it serves; known from the first start on. */
  get addresses(): EngineAddresses {
    if (!this.#addresses) throw new Error('the engine was not started yet')
    return this.#addresses
  }

  get progress(): EngineProgress {
    return this.#progress
  }

  /** Resolves when its flow is done, over any number of restarts. */
  get done(): Promise<void> {
    return this.#done.promise
  }

  stop(options: { readonly withinMs: number }): Promise<Exit> {
    return this.#process?.stop(options) ?? Promise.resolve({ code: 0, message: '' })
  }

  #read(line: Line): void {
    const { kind, orders, outputs, of } = line
    if (kind === 'progress')
      this.#progress = {
        orders: Number(orders),
        outputs: Number(outputs),
        of: typeof of === 'number' ? of : null,
        isDone: false,
      }
    if (kind === 'done') {
      this.#progress = { ...this.#progress, outputs: Number(outputs), isDone: true }
      this.#done.resolve()
    }
  }
}
