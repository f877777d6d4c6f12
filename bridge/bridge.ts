import type { Registry } from 'prom-client'
import type { EnginePosition } from '../core/events.ts'
import type { Clock } from '../runtime/clock.ts'
import type { KafkaPort } from '../runtime/kafka/port.ts'
import { Leadership } from '../runtime/leadership.ts'
import type { Log } from '../runtime/log.ts'
import type { StreamNames } from '../runtime/names.ts'
import type { Service } from '../runtime/service.ts'
import { refuse } from '../runtime/stop.ts'
import type { Dialect } from './dialects/dialect.ts'
import type { OpenEngineLink } from './engine-link.ts'
import { limits } from './limits.ts'
import { readLogTail } from './log-tail.ts'
import { type BridgeMeters, openMeters } from './meters.ts'
import { Term } from './term.ts'

export type BridgeSettings = {
  readonly names: StreamNames
  /** A Tick is written when nothing else was for this long. */
  readonly tickMs: number
  readonly batchBytes: number
  readonly maxOutputBytes: number
}

export type BridgePorts = {
  readonly kafka: KafkaPort
  /** What the engine speaks over that link. */
  readonly dialect: Dialect
  readonly openEngineLink: OpenEngineLink
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Registry
}

/** engine → `engine.outputs`: every output once, in order, without holes, durable before it is acknowledged. */
export class Bridge implements Service {
  readonly #settings: BridgeSettings
  readonly #ports: BridgePorts
  readonly #leadership: Leadership
  readonly #meters: BridgeMeters
  #at: EnginePosition | null = null

  constructor(settings: BridgeSettings, ports: BridgePorts) {
    this.#settings = settings
    this.#ports = ports
    this.#meters = openMeters(ports.metrics)
    const { kafka, clock, log } = ports
    this.#leadership = new Leadership({
      kafka,
      clock,
      log,
      group: settings.names.groups.bridge,
      topic: settings.names.topics.commands,
      backoffMs: limits.termBackoffMs,
      lead: signal => this.#lead(signal),
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#checkTopics()
    await this.#leadership.run(signal)
  }

  health(): { readonly ok: boolean; readonly [detail: string]: unknown } {
    const { state } = this.#leadership
    return { ok: state !== 'joining' && state !== 'stopped', state, seq: this.#at?.seq, epoch: this.#at?.epoch }
  }

  async #checkTopics(): Promise<void> {
    const { admin } = this.#ports.kafka
    const { topics } = this.#settings.names
    const counts = await admin.partitionCounts([topics.log, topics.commands])
    for (const topic of [topics.log, topics.commands]) {
      const count = counts.get(topic)
      if (count === undefined) throw refuse('topic-missing', `topic ${topic} does not exist; run: settle init`)
      if (count !== 1) throw refuse('topic-partitions', `topic ${topic} has ${count} partitions; it must have 1`)
    }
    const key = 'max.message.bytes'
    const largest = Number((await admin.topicConfig(topics.log, [key])).get(key))
    const { batchBytes } = this.#settings
    if (batchBytes >= largest)
      throw refuse(
        'batch-bytes',
        `BATCH_BYTES=${batchBytes} must be below ${key}=${largest} of topic ${topics.log}; lower the one or raise the other`,
      )
  }

  /** One term as the active bridge. The order matters: fence, then read the tail, then listen. */
  async #lead(signal: AbortSignal): Promise<void> {
    const { kafka, openEngineLink, log } = this.#ports
    const { names } = this.#settings
    const writer = await kafka.openTxWriter({ transactionalId: names.transactionalIds.bridge })
    try {
      const tail = await readLogTail(kafka, names.topics.log)
      log.info({ pos: tail.pos, epoch: tail.at.epoch, seq: tail.at.seq }, 'leading from the tail of the log')
      const link = await openEngineLink()
      const term = new Term({ settings: this.#settings, ports: this.#ports, meters: this.#meters, writer, link, tail })
      term.onProgress = at => {
        this.#at = at
      }
      try {
        await term.run(signal)
      } finally {
        link.close()
      }
    } finally {
      await writer.close()
    }
  }
}
