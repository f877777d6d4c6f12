import type { Registry } from 'prom-client'
import type { Pos } from '../../core/ids.ts'
import type { Clock } from '../../runtime/clock.ts'
import { checkPartitions } from '../../runtime/kafka/check-partitions.ts'
import type { KafkaPort, TxWriter } from '../../runtime/kafka/port.ts'
import { Leadership } from '../../runtime/leadership.ts'
import type { Log } from '../../runtime/log.ts'
import type { StreamNames } from '../../runtime/names.ts'
import type { Service } from '../../runtime/service.ts'
import { limits } from './limits.ts'
import { openMeters, type RepartitionMeters } from './meters.ts'
import { recover } from './recovery.ts'
import { Term } from './term.ts'

export type RepartitionSettings = {
  readonly names: StreamNames
  readonly partitions: number
  /** A barrier at least this often while anything comes in. */
  readonly barrierIntervalMs: number
  /** And at least every so many outputs. */
  readonly barrierOutputs: number
}

export type RepartitionPorts = {
  readonly kafka: KafkaPort
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Registry
}

/** `engine.outputs` → `user.outputs`: each output whole in one transaction, users ascending, barriers between. */
export class Repartition implements Service {
  readonly #settings: RepartitionSettings
  readonly #ports: RepartitionPorts
  readonly #leadership: Leadership
  readonly #meters: RepartitionMeters
  #pos: Pos | null = null
  #maxMessageBytes = 0

  constructor(settings: RepartitionSettings, ports: RepartitionPorts) {
    this.#settings = settings
    this.#ports = ports
    this.#meters = openMeters(ports.metrics)
    const { kafka, clock, log } = ports
    this.#leadership = new Leadership({
      kafka,
      clock,
      log,
      group: settings.names.groups.repartition,
      topic: settings.names.topics.log,
      transactionalId: settings.names.transactionalIds.repartition,
      backoffMs: limits.termBackoffMs,
      lead: (writer, signal) => this.#lead(writer, signal),
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#checkTopics()
    await this.#leadership.run(signal)
  }

  health(): { readonly ok: boolean; readonly [detail: string]: unknown } {
    const { state } = this.#leadership
    return { ok: state !== 'joining' && state !== 'stopped', state, pos: this.#pos }
  }

  async #checkTopics(): Promise<void> {
    const { kafka, log } = this.#ports
    const { names, partitions } = this.#settings
    await checkPartitions({ kafka, log, topic: names.topics.users, partitions })
    await checkPartitions({ kafka, log, topic: names.topics.log, partitions: 1 })
    const key = 'max.message.bytes'
    this.#maxMessageBytes = Number((await kafka.admin.topicConfig(names.topics.users, [key])).get(key))
  }

  async #lead(writer: TxWriter, signal: AbortSignal): Promise<void> {
    const { kafka, log } = this.#ports
    const { names, partitions } = this.#settings
    const fetcher = kafka.openFetcher()
    try {
      const recovered = await recover({ kafka, fetcher, names, partitions })
      log.info({ src: recovered.src }, 'leading from the tails of user.outputs')
      const onProgress = (pos: Pos): void => {
        this.#pos = pos
        this.#meters.pos.set(Number(pos))
      }
      const [settings, ports, meters, maxMessageBytes] = [
        this.#settings,
        this.#ports,
        this.#meters,
        this.#maxMessageBytes,
      ]
      const term = { settings, ports, meters, writer, fetcher, maxMessageBytes, onProgress }
      await new Term(term, recovered).run(signal)
    } finally {
      await fetcher.close()
    }
  }
}
