import type { Registry } from 'prom-client'
import type { Clock } from '../runtime/clock.ts'
import type { KafkaPort, TxWriter } from '../runtime/kafka/port.ts'
import { Leadership } from '../runtime/leadership.ts'
import type { Log } from '../runtime/log.ts'
import type { StreamNames } from '../runtime/names.ts'
import type { Service } from '../runtime/service.ts'
import { refuse } from '../runtime/stop.ts'
import type { Dialect } from './dialects/dialect.ts'
import type { OpenEngineLink } from './engine-link.ts'
import { DropLog } from './drop-log.ts'
import { limits } from './limits.ts'
import { readLogTail } from './log-tail.ts'
import { type BridgeMeters, openMeters } from './meters.ts'
import { OperatorCommands } from './operator-commands.ts'
import { Term, type TermOptions } from './term.ts'

export type BridgeSettings = {
  readonly names: StreamNames
  /** A Tick is written when nothing else was for this long. */
  readonly tickMs: number
  readonly batchBytes: number
  /** From the beginning of one transaction to that of the next, at least, while few outputs wait. */
  readonly gatherMs: number
  readonly maxOutputBytes: number
  /** pos moves further in one step only when our clock agrees with the engine's and the broker's. */
  readonly clockJumpMs: number
  /** Clocks that are no further apart agree. */
  readonly clockToleranceMs: number
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
  readonly #drops: DropLog
  #term: Term | null = null

  constructor(settings: BridgeSettings, ports: BridgePorts) {
    this.#settings = settings
    this.#ports = ports
    this.#meters = openMeters(ports.metrics)
    const { kafka, clock, log } = ports
    this.#drops = new DropLog({ clock, log, meters: this.#meters })
    this.#leadership = new Leadership({
      kafka,
      clock,
      log,
      group: settings.names.groups.bridge,
      topic: settings.names.topics.commands,
      transactionalId: settings.names.transactionalIds.bridge,
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
    const term = this.#term?.health ?? { ok: true }
    return { ...term, ok: term.ok && state !== 'joining' && state !== 'stopped', state }
  }

  async #checkTopics(): Promise<void> {
    const { admin } = this.#ports.kafka
    const { topics } = this.#settings.names
    const single = [topics.log, topics.commands, topics.clock]
    const counts = await admin.partitionCounts(single)
    for (const topic of single) {
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

  /**
   * One term as the active bridge, after the fence. The order matters: read the log's tail and how far commands were
   * answered, then listen.
   */
  async #lead(writer: TxWriter, signal: AbortSignal): Promise<void> {
    const { kafka, openEngineLink, clock, log } = this.#ports
    const { names } = this.#settings
    const tail = await readLogTail(kafka, names.topics.log)
    const commands = await OperatorCommands.open({ kafka, clock, names })
    try {
      log.info({ pos: tail.pos, epoch: tail.at.epoch, seq: tail.at.seq }, 'leading from the tail of the log')
      const link = await openEngineLink()
      await this.#serve({ writer, link, commands, tail }, signal)
    } finally {
      await commands.close()
    }
  }

  async #serve(parts: Pick<TermOptions, 'writer' | 'link' | 'commands' | 'tail'>, signal: AbortSignal): Promise<void> {
    try {
      this.#meters.terms.inc()
      const [settings, ports, meters, drops] = [this.#settings, this.#ports, this.#meters, this.#drops]
      this.#term = new Term({ ...parts, settings, ports, meters, drops })
      await this.#term.run(signal)
    } finally {
      this.#term = null
      parts.link.close()
    }
  }
}
