import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pos } from '../../../core/ids.ts'
import { freePorts } from '../../../local/ports.ts'
import { clean, down, up } from '../../../local/stack.ts'
import { topicSpecs } from '../../../ops/init/topics.ts'
import type { KafkaPort } from '../../../runtime/kafka/port.ts'
import { namesOf, type StreamNames } from '../../../runtime/names.ts'
import { toCommitted } from '../../../runtime/reader/progress.ts'
import { writerThreadHeap } from '../../../sim/pipeline/services.ts'
import type { ChaosRun } from '../chaos-run.ts'
import { engineSettings } from '../engine-settings.ts'
import { Leg, portOf } from '../leg.ts'
import { openQuietKafka } from '../read-log.ts'
import { StackServer } from '../stack-server.ts'
import { type LegName, sessionTimeoutMs } from './faults.ts'
import { BridgeWorld } from './world.ts'

const host = '127.0.0.1'

/** What the engine makes beyond the rate that is asked for, since it is down and frozen for a part of the run. */
const paceFactor = 1.6

type Environment = Readonly<Record<string, string | undefined>>

/** What a run takes place on: Kafka, the lines through proxies, and the processes, which are not started yet. */
export class BridgeStage {
  readonly names: StreamNames
  readonly world: BridgeWorld
  /** A way to the broker that no fault is on. */
  readonly kafka: KafkaPort
  readonly #dir: string
  readonly #env: Environment
  readonly #legs: Readonly<Record<LegName, Leg>>

  private constructor(options: {
    readonly names: StreamNames
    readonly world: BridgeWorld
    readonly kafka: KafkaPort
    readonly dir: string
    readonly env: Environment
    readonly legs: Readonly<Record<LegName, Leg>>
  }) {
    this.names = options.names
    this.world = options.world
    this.kafka = options.kafka
    this.#dir = options.dir
    this.#env = options.env
    this.#legs = options.legs
  }

  static async open({ settings, dir, env: given, trace }: ChaosRun): Promise<BridgeStage> {
    const env = { ...given, SETTLE_DATA: join(dir, 'stack'), STACK: 'local' }
    const names = namesOf('chaos')
    await mkdir(join(dir, 'engine'), { recursive: true })
    const stack = await up({ env, servers: ['kafka'] })
    try {
      const { listen, advertised } = stack.kafka.proxied
      const [live, replay] = (await freePorts(2, [host])) as [number, number]
      const legs = {
        live: await Leg.open({ port: 0, targetPort: live }),
        replay: await Leg.open({ port: 0, targetPort: replay }),
        kafka: await Leg.open({ port: portOf(advertised), targetPort: portOf(listen) }),
      }
      const openDirect = (): KafkaPort => openQuietKafka(stack.kafka.brokers)
      const path = given['PATH'] ?? ''
      const world = new BridgeWorld({
        ...{ names, dir, trace, legs, openKafka: openDirect },
        broker: new StackServer('kafka', env),
        engineEnv: {
          PATH: path,
          ...engineSettings({ settings, dir, names, live, replay, users: 200, paceFactor }),
          ENGINE_ACK_REPORTS: 'on',
        },
        bridgeEnv: { PATH: path, ...bridgeSettings({ names, brokers: advertised, legs }) },
      })
      const kafka = openDirect()
      await makeStream(kafka, names)
      return new BridgeStage({ names, world, kafka, dir, env, legs })
    } catch (error) {
      await down({ env })
      throw error
    }
  }

  async close({ data }: { readonly data: 'kept' | 'removed' }): Promise<void> {
    await this.world.end('SIGKILL')
    await Promise.all(Object.values(this.#legs).map(leg => leg.close()))
    await this.kafka.close()
    if (data === 'kept') {
      await down({ env: this.#env })
      return
    }
    await clean({ env: this.#env })
    await rm(join(this.#dir, 'engine'), { recursive: true, force: true })
  }
}

const bridgeSettings = ({
  names,
  brokers,
  legs,
}: {
  readonly names: StreamNames
  readonly brokers: string
  readonly legs: Readonly<Record<LegName, Leg>>
}): Readonly<Record<string, string>> => ({
  STREAM: names.stream,
  KAFKA_BROKERS: brokers,
  // Short, so that there are many terms: a bridge that was killed is missed only after this.
  KAFKA_SESSION_TIMEOUT_MS: `${sessionTimeoutMs}`,
  KAFKA_HEARTBEAT_INTERVAL_MS: '300',
  ENGINE_LIVE: `sub:tcp://${host}:${legs.live.port}`,
  ENGINE_REPLAY: `tcp://${host}:${legs.replay.port}`,
  TICK_MS: '1000',
  ...writerThreadHeap,
  // What ends is started again at once.
  STOP_LINGER_MS: '0',
})

/** Kafka's part of `settle init`. */
const makeStream = async (kafka: KafkaPort, { groups, topics, ...names }: StreamNames): Promise<void> => {
  const settings = { partitions: 1, replicationFactor: 1, minInsyncReplicas: 1, maxMessageBytes: 8 * 1024 * 1024 }
  await kafka.admin.createTopics(topicSpecs({ groups, topics, ...names }, settings))
  const start = toCommitted({ offset: 0n, n: 0n, pos: 0n as Pos })
  await kafka.admin.setOffsets({ group: groups.bridge, topic: topics.commands, offsets: new Map([[0, start]]) })
}
