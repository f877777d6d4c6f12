import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts } from '../../local/ports.ts'
import { clean, down, type ServerName, type Stack, serviceEnvironment, up } from '../../local/stack.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { namesOf, type StreamNames } from '../../runtime/names.ts'
import { demoIntervals } from '../../sim/demo/intervals.ts'
import { type EntryResult, runEntry } from '../../sim/pipeline/run-entry.ts'
import {
  commonEnvironment,
  type EngineAddresses,
  type Intervals,
  ownEnvironment,
  type ServiceName,
  settleEntry,
} from '../../sim/pipeline/services.ts'
import type { ChaosRun } from './chaos-run.ts'
import { engineSettings } from './engine-settings.ts'
import { openQuietKafka } from './read-log.ts'
import { sessionTimeoutMs } from './service-faults.ts'
import { StackServer } from './stack-server.ts'

const host = '127.0.0.1'
const initMs = 180_000
/** No fault hits the engine; it is slow only when the machine is. */
const paceFactor = 1.1

type Environment = Readonly<Record<string, string>>

/** Places that the stream is without. */
export type Skipped = 'scylladb' | 'starrocks' | 'archive'

/** Servers of a run's own, and what the processes of a stream on them are told; none of them is started yet. */
export class StreamStage<Names extends ServerName = never> {
  readonly names: StreamNames
  readonly partitions: number
  readonly intervals: Intervals
  readonly stack: Stack<Names | 'kafka'>
  /** A way to Kafka that no fault is on. */
  readonly kafka: KafkaPort
  readonly engineEnv: Environment
  readonly engineDump: string
  readonly #dir: string
  readonly #stackEnv: Readonly<Record<string, string | undefined>>
  readonly #commandEnv: Environment
  readonly #skip: readonly Skipped[]
  readonly #engine: EngineAddresses

  private constructor(options: {
    readonly run: ChaosRun
    readonly stage: StageOptions<Names>
    readonly stack: Stack<Names | 'kafka'>
    readonly stackEnv: Readonly<Record<string, string | undefined>>
    readonly ports: readonly [live: number, replay: number]
  }) {
    const { run, stage, stack, stackEnv, ports } = options
    const [live, replay] = ports
    const { dir } = run
    this.names = namesOf('chaos')
    this.partitions = stage.partitions
    this.stack = stack
    this.kafka = openQuietKafka(stack.kafka.brokers)
    this.intervals = { ...demoIntervals(stack), tickMs: 1000, barrierMs: 1000, ...stage.intervals }
    this.engineDump = join(dir, 'engine', 'dump.json')
    this.engineEnv = {
      PATH: run.env['PATH'] ?? '',
      ...engineSettings({ ...run, names: this.names, live, replay, users: stage.users, paceFactor }),
      ENGINE_DUMP_FILE: this.engineDump,
    }
    this.#dir = dir
    this.#stackEnv = stackEnv
    this.#skip = stage.skip
    this.#engine = { live: `tcp://${host}:${live}`, replay: `tcp://${host}:${replay}` }
    this.#commandEnv = commonEnvironment({
      ...{ stream: this.names.stream, partitions: stage.partitions, archiveDir: stage.archiveDir ?? '' },
      ...{ intervals: this.intervals, servers: serviceEnvironment(stack) },
    })
  }

  static async open<Names extends ServerName>(run: ChaosRun, stage: StageOptions<Names>): Promise<StreamStage<Names>> {
    const { dir, env } = run
    const stackEnv = { ...env, SETTLE_DATA: join(dir, 'stack'), STACK: 'local', ...stage.stackSettings }
    await mkdir(join(dir, 'engine'), { recursive: true })
    const stack = await up<Names | 'kafka'>({ env: stackEnv, servers: ['kafka', ...stage.servers] })
    try {
      const ports = (await freePorts(2, [host])) as [number, number]
      return new StreamStage({ run, stage, stack, stackEnv, ports })
    } catch (error) {
      await down({ env: stackEnv })
      throw error
    }
  }

  /** What a service is told. */
  envOf(name: ServiceName): Environment {
    const { intervals } = this
    return {
      ...this.#commandEnv,
      KAFKA_SESSION_TIMEOUT_MS: `${sessionTimeoutMs}`,
      ...ownEnvironment(name, { intervals, engine: this.#engine }),
    }
  }

  server(id: string): StackServer {
    return new StackServer(id, this.#stackEnv)
  }

  /** Makes the stream, but for what it is without. */
  async init(): Promise<void> {
    const made = await this.settle(['init', ...this.skipping], { withinMs: initMs })
    if (made.exitCode !== 0) throw new Error(`settle init ended with ${made.exitCode}: ${made.stderr}`)
  }

  get skipping(): readonly string[] {
    return ['--skip', this.#skip.join()]
  }

  /** Runs one `settle` command, past all faults. */
  settle(args: readonly string[], { withinMs }: { readonly withinMs: number }): Promise<EntryResult> {
    return runEntry(settleEntry, { args, env: this.#commandEnv, withinMs })
  }

  /** Once every process has ended. */
  async close({ data }: { readonly data: 'kept' | 'removed' }): Promise<void> {
    await this.kafka.close()
    if (data === 'kept') {
      await down({ env: this.#stackEnv })
      return
    }
    await clean({ env: this.#stackEnv })
    await rm(join(this.#dir, 'engine'), { recursive: true, force: true })
  }
}

export type StageOptions<Names extends ServerName> = {
  /** Besides Kafka. */
  readonly servers: readonly Names[]
  readonly stackSettings?: Environment
  readonly partitions: number
  readonly users: number
  readonly skip: readonly [Skipped, ...Skipped[]]
  readonly archiveDir?: string
  readonly intervals?: Partial<Intervals>
}
