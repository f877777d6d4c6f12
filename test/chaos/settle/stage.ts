import { pino } from 'pino'
import { freePorts } from '../../../local/ports.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { openCql } from '../../../runtime/cql/cql.ts'
import type { CqlPort } from '../../../runtime/cql/port.ts'
import type { ChaosRun } from '../chaos-run.ts'
import { Leg, portOf } from '../leg.ts'
import type { StackServer } from '../stack-server.ts'
import { StreamStage } from '../stream-stage.ts'
import { type LegName, nodeNumbers } from './faults.ts'
import { SettleWorld } from './world.ts'

/** Kafka, three Cassandras, settle's lines through proxies, a stream made by `settle init`; processes not started yet. */
export class SettleStage {
  readonly stream: StreamStage<'cassandra'>
  readonly world: SettleWorld
  /** A way to the store that no fault is on. */
  readonly openStore: () => Promise<CqlPort>
  readonly #legs: Readonly<Record<LegName, Leg>>

  private constructor({ run, stream, legs }: Parts) {
    const { cassandra, kafka: broker } = stream.stack
    this.stream = stream
    this.#legs = legs
    const node = (number: number): StackServer => stream.server(`cassandra-${number}`)
    this.world = new SettleWorld({
      ...{ names: stream.names, dir: run.dir, trace: run.trace, legs, kafka: stream.kafka },
      broker: stream.server('kafka'),
      nodes: { 1: node(1), 2: node(2), 3: node(3) },
      engineEnv: stream.engineEnv,
      serviceEnv: {
        bridge: stream.envOf('bridge'),
        repartition: stream.envOf('repartition'),
        settle: {
          ...stream.envOf('settle'),
          KAFKA_BROKERS: broker.proxied.advertised,
          // The proxies have one port at all addresses, as the nodes have: the driver knows only the contact point's.
          CQL_CONTACT_POINTS: nodeNumbers.map(each => `127.0.0.${each}:${legs[`cql-${each}`].port}`).join(),
        },
      },
    })
    this.openStore = () =>
      openCql({
        contactPoints: cassandra.contactPoints.map(each => `${each}:${cassandra.port}`),
        datacenter: cassandra.localDataCenter,
        ...{ keyspace: stream.names.keyspace, username: '', password: '', inFlight: 8 },
        ...{ log: pino({ level: 'silent' }), clock: systemClock },
      })
  }

  static async open(run: ChaosRun): Promise<SettleStage> {
    const stream = await StreamStage.open(run, {
      servers: ['cassandra'],
      stackSettings: { CASSANDRA_NODES: '3', CASSANDRA_HEAP_MB: '320', KAFKA_QUICK_JIT: '1' },
      ...{ partitions: 12, users: 1000, skip: ['starrocks', 'archive'] },
    })
    try {
      const stage = new SettleStage({ run, stream, legs: await openLegs(stream) })
      await stream.init()
      return stage
    } catch (error) {
      await stream.close({ data: 'kept' })
      throw error
    }
  }

  async close({ data }: { readonly data: 'kept' | 'removed' }): Promise<void> {
    await this.world.end('SIGKILL')
    await Promise.all(Object.values(this.#legs).map(leg => leg.close()))
    await this.stream.close({ data })
  }
}

type Parts = {
  readonly run: ChaosRun
  readonly stream: StreamStage<'cassandra'>
  readonly legs: Readonly<Record<LegName, Leg>>
}

const openLegs = async ({ stack }: StreamStage<'cassandra'>): Promise<Readonly<Record<LegName, Leg>>> => {
  const { listen, advertised } = stack.kafka.proxied
  const { contactPoints, port: targetPort } = stack.cassandra
  const [port] = (await freePorts(1, contactPoints)) as [number]
  const cql = (node: number): Promise<Leg> => Leg.open({ host: `127.0.0.${node}`, port, targetPort })
  return {
    kafka: await Leg.open({ port: portOf(advertised), targetPort: portOf(listen) }),
    'cql-1': await cql(1),
    'cql-2': await cql(2),
    'cql-3': await cql(3),
  }
}
