import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { freePorts } from '../../../local/ports.ts'
import { clean, down, serviceEnvironment, up } from '../../../local/stack.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { openCql } from '../../../runtime/cql/cql.ts'
import type { CqlPort } from '../../../runtime/cql/port.ts'
import type { KafkaPort } from '../../../runtime/kafka/port.ts'
import { namesOf, type StreamNames } from '../../../runtime/names.ts'
import { demoIntervals } from '../../../sim/demo/intervals.ts'
import { type EntryResult, runEntry } from '../../../sim/pipeline/run-entry.ts'
import { commonEnvironment, ownEnvironment, settleEntry } from '../../../sim/pipeline/services.ts'
import type { ChaosRun } from '../chaos-run.ts'
import { engineSettings } from '../engine-settings.ts'
import { Leg, portOf } from '../leg.ts'
import { openQuietKafka } from '../read-log.ts'
import { StackServer } from '../stack-server.ts'
import { type LegName, nodeNumbers, sessionTimeoutMs } from './faults.ts'
import { SettleWorld } from './world.ts'

const host = '127.0.0.1'
export const partitions = 12
const initMs = 180_000
/** No fault hits the engine; it is slow only when the machine is. */
const paceFactor = 1.1

type Environment = Readonly<Record<string, string>>

/** Kafka, three Cassandras, settle's lines through proxies, a stream made by `settle init`; processes not started yet. */
export class SettleStage {
  readonly names: StreamNames
  readonly world: SettleWorld
  /** Ways to Kafka and the store that no fault is on. */
  readonly kafka: KafkaPort
  readonly openStore: () => Promise<CqlPort>
  readonly engineDump: string
  readonly #dir: string
  readonly #stackEnv: Readonly<Record<string, string | undefined>>
  readonly #commandEnv: Environment
  readonly #legs: Readonly<Record<LegName, Leg>>

  private constructor(options: {
    readonly run: ChaosRun
    readonly names: StreamNames
    readonly world: SettleWorld
    readonly kafka: KafkaPort
    readonly openStore: () => Promise<CqlPort>
    readonly stackEnv: Readonly<Record<string, string | undefined>>
    readonly commandEnv: Environment
    readonly legs: Readonly<Record<LegName, Leg>>
  }) {
    const { run, names, world, kafka, openStore, stackEnv, commandEnv, legs } = options
    this.names = names
    this.world = world
    this.kafka = kafka
    this.openStore = openStore
    this.engineDump = dumpFile(run.dir)
    this.#dir = run.dir
    this.#stackEnv = stackEnv
    this.#commandEnv = commandEnv
    this.#legs = legs
  }

  static async open(run: ChaosRun): Promise<SettleStage> {
    const { dir, env: given, settings, trace } = run
    const stackEnv = {
      ...given,
      ...{ SETTLE_DATA: join(dir, 'stack'), STACK: 'local' },
      ...{ CASSANDRA_NODES: '3', CASSANDRA_HEAP_MB: '320' },
    }
    const names = namesOf('chaos')
    await mkdir(join(dir, 'engine'), { recursive: true })
    const stack = await up({ env: stackEnv, servers: ['kafka', 'cassandra'] })
    try {
      const [live, replay] = (await freePorts(2, [host])) as [number, number]
      const { contactPoints, port: cqlPort, localDataCenter } = stack.cassandra
      const legs = await openLegs({ ...stack.kafka.proxied, contactPoints, cqlPort })
      const intervals = { ...demoIntervals(stack), tickMs: 1000, barrierMs: 1000 }
      const commandEnv = commonEnvironment({
        ...{ stream: names.stream, partitions, archiveDir: '', intervals },
        servers: serviceEnvironment(stack),
      })
      const shared: Environment = { ...commandEnv, KAFKA_SESSION_TIMEOUT_MS: `${sessionTimeoutMs}` }
      const engine = { live: `tcp://${host}:${live}`, replay: `tcp://${host}:${replay}` }
      const own = (name: 'bridge' | 'repartition' | 'settle'): Environment => ({
        ...shared,
        ...ownEnvironment(name, { intervals, engine }),
      })
      const kafka = openQuietKafka(stack.kafka.brokers)
      const node = (number: number): StackServer => new StackServer(`cassandra-${number}`, stackEnv)
      const world = new SettleWorld({
        ...{ names, dir, trace, legs, kafka },
        broker: new StackServer('kafka', stackEnv),
        nodes: { 1: node(1), 2: node(2), 3: node(3) },
        engineEnv: {
          PATH: given['PATH'] ?? '',
          ...engineSettings({ settings, dir, names, live, replay, users: 1000, paceFactor }),
          ENGINE_DUMP_FILE: dumpFile(dir),
        },
        serviceEnv: {
          bridge: own('bridge'),
          repartition: own('repartition'),
          settle: {
            ...own('settle'),
            KAFKA_BROKERS: stack.kafka.proxied.advertised,
            // The proxies have one port at all addresses, as the nodes have: the driver knows only the contact point's.
            CQL_CONTACT_POINTS: nodeNumbers.map(each => `127.0.0.${each}:${legs[`cql-${each}`].port}`).join(),
          },
        },
      })
      const openStore = (): Promise<CqlPort> =>
        openCql({
          contactPoints: contactPoints.map(each => `${each}:${cqlPort}`),
          ...{ datacenter: localDataCenter, keyspace: names.keyspace, username: '', password: '', inFlight: 8 },
          ...{ log: pino({ level: 'silent' }), clock: systemClock },
        })
      const stage = new SettleStage({ run, names, world, kafka, openStore, stackEnv, commandEnv, legs })
      const made = await stage.settle(['init', '--skip', 'starrocks'], { withinMs: initMs })
      if (made.exitCode !== 0) throw new Error(`settle init ended with ${made.exitCode}: ${made.stderr}`)
      return stage
    } catch (error) {
      await down({ env: stackEnv })
      throw error
    }
  }

  /** Runs one `settle` command, past all proxies. */
  settle(args: readonly string[], { withinMs }: { readonly withinMs: number }): Promise<EntryResult> {
    return runEntry(settleEntry, { args, env: this.#commandEnv, withinMs })
  }

  async close({ data }: { readonly data: 'kept' | 'removed' }): Promise<void> {
    await this.world.end('SIGKILL')
    await Promise.all(Object.values(this.#legs).map(leg => leg.close()))
    await this.kafka.close()
    if (data === 'kept') {
      await down({ env: this.#stackEnv })
      return
    }
    await clean({ env: this.#stackEnv })
    await rm(join(this.#dir, 'engine'), { recursive: true, force: true })
  }
}

const dumpFile = (dir: string): string => join(dir, 'engine', 'dump.json')

const openLegs = async (options: {
  readonly listen: string
  readonly advertised: string
  readonly contactPoints: readonly string[]
  readonly cqlPort: number
}): Promise<Readonly<Record<LegName, Leg>>> => {
  const { listen, advertised, contactPoints, cqlPort } = options
  const [port] = (await freePorts(1, contactPoints)) as [number]
  const cql = (node: number): Promise<Leg> => Leg.open({ host: `127.0.0.${node}`, port, targetPort: cqlPort })
  return {
    kafka: await Leg.open({ port: portOf(advertised), targetPort: portOf(listen) }),
    'cql-1': await cql(1),
    'cql-2': await cql(2),
    'cql-3': await cql(3),
  }
}
