import type { Command, EnginePosition, LogRecord } from '../core/events.ts'
import { pos as asPos, type Pos } from '../core/ids.ts'
import type { OutgoingRecord, TxWriter } from '../runtime/kafka/port.ts'
import { refuse } from '../runtime/stop.ts'
import { encodeLogRecord, positionOfLogOutput, stampLogOutput } from '../schemas/codec.ts'
import { BoundedQueue } from './bounded-queue.ts'
import type { BridgePorts, BridgeSettings } from './bridge.ts'
import type { ClockGuard } from './clock-guard.ts'
import { limits } from './limits.ts'
import type { LogTail } from './log-tail.ts'
import type { BridgeMeters } from './meters.ts'

type WithoutPlace<R> = R extends LogRecord ? Omit<R, 'pos' | 'at'> : never
/** What the log says to a command, but for its place: a pos is stamped, and the log stands where it stands. */
export type Answer = WithoutPlace<Extract<LogRecord, { readonly command: Command }>>

/** What waits for its transaction. */
export type Queued =
  | {
      readonly kind: 'Output'
      /** All of the record but its pos; it says itself where the log stands with it. */
      readonly record: Buffer
      readonly bytes: number
    }
  | { readonly kind: 'Session'; readonly at: EnginePosition; readonly bytes: number }
  | {
      readonly kind: 'Answer'
      readonly at: EnginePosition
      readonly answer: Answer
      /** Of the command in `operator.commands`; committed in the transaction of its answer. */
      readonly offset: bigint
      readonly bytes: number
    }

/** Stamps and writes what is queued, a transaction at a time; what queued while the last one committed is the next. */
export class LogWriter {
  readonly queue = new BoundedQueue<Queued>({ maxCount: limits.queueCount, maxBytes: limits.queueBytes })
  readonly #settings: BridgeSettings
  readonly #ports: BridgePorts
  readonly #meters: BridgeMeters
  readonly #writer: TxWriter
  readonly #guard: ClockGuard
  readonly #onDurable: (at: EnginePosition) => void
  #pos: Pos
  #durable: EnginePosition

  constructor(options: {
    readonly settings: BridgeSettings
    readonly ports: BridgePorts
    readonly meters: BridgeMeters
    readonly writer: TxWriter
    readonly guard: ClockGuard
    readonly tail: LogTail
    /** Called after the commit that made everything up to `at` durable, never before. */
    readonly onDurable: (at: EnginePosition) => void
  }) {
    this.#settings = options.settings
    this.#ports = options.ports
    this.#meters = options.meters
    this.#writer = options.writer
    this.#guard = options.guard
    this.#onDurable = options.onDurable
    this.#pos = options.tail.pos
    this.#durable = options.tail.at
  }

  /** The highest pos stamped. */
  get pos(): Pos {
    return this.#pos
  }

  /** Where the log stands, committed. */
  get durable(): EnginePosition {
    return this.#durable
  }

  /** Goes on until the signal is aborted and the queue is written. @throws KafkaFailure, Stop */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports
    const { tickMs, gatherMs } = this.#settings
    let lastWriteMs = clock.monotonicMs()
    let lastBegunMs = Number.NEGATIVE_INFINITY
    while (!signal.aborted || this.queue.count > 0) {
      const idleMs = clock.monotonicMs() - lastWriteMs
      if (this.queue.count === 0 && idleMs < tickMs) {
        const waiting = new AbortController()
        await Promise.race([this.queue.changed(), clock.sleep(tickMs - idleMs, waiting.signal)])
        waiting.abort()
        continue
      }
      const gatherForMs = lastBegunMs + gatherMs - clock.monotonicMs()
      if (gatherForMs > 0 && this.queue.count < limits.fewOutputs) await clock.sleep(gatherForMs, signal)
      if (!(await this.#mayStamp(signal))) {
        if (signal.aborted) return
        continue
      }
      lastBegunMs = clock.monotonicMs()
      await this.#commit(this.queue.take({ maxCount: limits.batchCount, maxBytes: this.#settings.batchBytes }))
      lastWriteMs = clock.monotonicMs()
    }
  }

  /** Whether the clock may be used; it is proven first where it must be. False: not now, look again. */
  async #mayStamp(signal: AbortSignal): Promise<boolean> {
    const { clock, log } = this.#ports
    const nowUs = clock.nowUs()
    this.#meters.posAheadUs.set(Number(this.#pos > nowUs ? this.#pos - nowUs : 0n))
    if (!this.#guard.needsProof(this.#pos, nowUs)) return true
    const byUs = `${nowUs - this.#pos}`
    log.info({ pos: this.#pos, byUs }, 'pos is to move far: asking engine and broker for the time')
    const proof = this.#guard.prove(signal)
    // Whoever reads the live socket reads on, full queue or not, until the engine's clock is heard.
    this.queue.wake()
    if ((await proof) === 'right') return true
    if (signal.aborted) return false
    // Outputs are replayed but the engine's clock is not heard: what to stamp can't be known.
    if (this.queue.some(({ kind }) => kind === 'Output'))
      throw refuse(
        'clock-in-doubt',
        `no heartbeat was heard from the engine, so this machine's clock can't be compared with its own before pos moves by ${byUs} µs; see that ENGINE_LIVE reaches the engine`,
      )
    log.warn({ byUs }, 'the engine is silent: nothing is stamped until its clock is heard')
    return false
  }

  /** One transaction: the batch, or a Tick when there is none. */
  async #commit(batch: readonly Queued[]): Promise<void> {
    const { clock } = this.#ports
    const startMs = clock.monotonicMs()
    const nowUs = clock.nowUs()
    const last = batch.at(-1)
    // Read before the stamp: that may move what stands behind it.
    const at = last && positionOf(last)
    const records = batch.length > 0 ? batch.map(item => this.#record(item, nowUs)) : [this.#tick(nowUs)]
    const answered = batch.findLast(({ kind }) => kind === 'Answer') as Extract<Queued, { kind: 'Answer' }> | undefined
    await this.#writer.commitBatch({ records, ...(answered ? { groupOffset: this.#answered(answered) } : {}) })
    this.#meters.commitSeconds.observe((clock.monotonicMs() - startMs) / 1000)
    this.#meters.pos.set(Number(this.#pos))
    if (!at) return
    this.#durable = at
    this.#meters.records.inc(batch.length)
    this.#meters.seq.set(Number(at.seq))
    this.#onDurable(at)
  }

  #answered({ offset, answer }: Extract<Queued, { kind: 'Answer' }>) {
    const { groups, topics } = this.#settings.names
    const metadata = `id=${answer.command.id}`.slice(0, limits.commandIdChars)
    return { group: groups.bridge, topic: topics.commands, partition: 0, offset: offset + 1n, metadata }
  }

  #record(item: Queued, nowUs: bigint): OutgoingRecord {
    const pos = this.#stamp(nowUs)
    switch (item.kind) {
      case 'Output':
        return this.#outgoing(pos, stampLogOutput(item.record, pos))
      case 'Session':
        return this.#outgoing(pos, encodeLogRecord({ kind: 'Session', pos, at: item.at }))
      case 'Answer':
        return this.#outgoing(pos, encodeLogRecord({ ...item.answer, pos, at: item.at }))
    }
  }

  #tick(nowUs: bigint): OutgoingRecord {
    const pos = this.#stamp(nowUs)
    return this.#outgoing(pos, encodeLogRecord({ kind: 'Tick', pos, at: this.#durable }))
  }

  #stamp(nowUs: bigint): Pos {
    this.#pos = asPos(nowUs > this.#pos ? nowUs : this.#pos + 1n)
    return this.#pos
  }

  #outgoing(pos: Pos, value: Buffer): OutgoingRecord {
    return { topic: this.#settings.names.topics.log, partition: 0, key: null, value, timestampMs: pos / 1000n }
  }
}

const positionOf = (item: Queued): EnginePosition =>
  item.kind === 'Output' ? positionOfLogOutput(item.record) : item.at
