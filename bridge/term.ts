import type { EnginePosition } from '../core/events.ts'
import { pos as asPos, type Pos } from '../core/ids.ts'
import type { OutgoingRecord, TxWriter } from '../runtime/kafka/port.ts'
import { refuse } from '../runtime/stop.ts'
import { DecodeError, decodeEngineOutput, encodeLogOutput, encodeLogRecord } from '../schemas/codec.ts'
import type { EngineFrame } from '../schemas/frames.ts'
import { BoundedQueue } from './bounded-queue.ts'
import type { BridgePorts, BridgeSettings } from './bridge.ts'
import type { DialectFrame } from './dialects/dialect.ts'
import type { EngineLink } from './engine-link.ts'
import { limits } from './limits.ts'
import type { LogTail } from './log-tail.ts'
import type { BridgeMeters } from './meters.ts'
import { type Effect, Sequencer } from './sequencer.ts'

/** What waits for its transaction. */
type Queued =
  | {
      readonly kind: 'Output' | 'Reference'
      readonly at: EnginePosition
      readonly payload: Buffer
      readonly bytes: number
    }
  | { readonly kind: 'Session'; readonly at: EnginePosition; readonly bytes: number }

/** An engine that keeps no chain is not taken yet. */
const chained = (frame: DialectFrame): EngineFrame => {
  if (frame.at.chain) return frame as EngineFrame
  throw refuse('undecodable-frame', `${frame.kind} of seq ${frame.at.seq}: without a chain`)
}

/** From one fence to the next: the receive loops fill the queue, the write loop empties it. */
export class Term {
  readonly #settings: BridgeSettings
  readonly #ports: BridgePorts
  readonly #meters: BridgeMeters
  readonly #writer: TxWriter
  readonly #link: EngineLink
  readonly #sequencer: Sequencer
  readonly #queue = new BoundedQueue<Queued>({ maxCount: limits.queueCount, maxBytes: limits.queueBytes })
  #pos: Pos
  #durable: EnginePosition
  onProgress: (at: EnginePosition) => void = () => {}

  constructor(options: {
    readonly settings: BridgeSettings
    readonly ports: BridgePorts
    readonly meters: BridgeMeters
    readonly writer: TxWriter
    readonly link: EngineLink
    readonly tail: LogTail
  }) {
    this.#settings = options.settings
    this.#ports = options.ports
    this.#meters = options.meters
    this.#writer = options.writer
    this.#link = options.link
    this.#sequencer = new Sequencer(options.tail.at, limits.sequencer)
    this.#pos = options.tail.pos
    this.#durable = options.tail.at
  }

  async run(signal: AbortSignal): Promise<void> {
    const over = new AbortController()
    const end = (): void => {
      over.abort()
      this.#link.close()
      this.#queue.wake()
    }
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    // What is durable may not have been acknowledged before the last term ended.
    this.#acknowledge()
    const loops = [
      this.#receive('live', over.signal),
      this.#receive('replay', over.signal),
      this.#askAgain(over.signal),
    ]
    try {
      await Promise.all([...loops.map(loop => loop.finally(end)), this.#write(over.signal)])
    } finally {
      end()
      signal.removeEventListener('abort', end)
      await Promise.allSettled(loops)
    }
  }

  async #receive(source: 'live' | 'replay', signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // A full queue: the socket is not read, and the engine's journal holds the rest.
      if (this.#queue.full) {
        await this.#queue.changed
        continue
      }
      const frames = await this.#link.receive(source)
      if (!frames) return
      this.#take(frames)
    }
  }

  #take(frames: readonly Buffer[]): void {
    let effects: readonly Effect[]
    try {
      effects = this.#sequencer.take(chained(this.#ports.dialect.decode(frames)), this.#ports.clock.monotonicMs())
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      throw refuse('undecodable-frame', `${error.message}; what the engine sends is not our protocol`)
    }
    for (const effect of effects) this.#apply(effect)
  }

  #apply(effect: Effect): void {
    switch (effect.kind) {
      case 'take':
        return this.#queue.add(this.#queued(effect))
      case 'session':
        return this.#queue.add({ kind: 'Session', at: effect.at, bytes: limits.recordOverheadBytes })
      case 'drop':
        this.#meters.dropped.inc({ reason: effect.reason })
        if (effect.reason === 'foreign-session')
          this.#ports.log.error(
            { epoch: effect.at.epoch, random: effect.at.random, seq: effect.at.seq },
            'dropped a frame of another engine in the same epoch',
          )
        return
      case 'stop':
        throw refuse(effect.code, effect.message)
    }
  }

  #queued({ at, payload }: { readonly at: EnginePosition; readonly payload: Buffer }): Queued {
    const what = `session ${at.epoch}/${at.random} seq ${at.seq}`
    const { maxOutputBytes } = this.#settings
    if (payload.length > maxOutputBytes)
      throw refuse('oversized-output', `${what}: ${payload.length} bytes are over MAX_OUTPUT_BYTES=${maxOutputBytes}`)
    try {
      const { reference } = decodeEngineOutput(payload)
      return {
        kind: reference ? 'Reference' : 'Output',
        at,
        payload,
        bytes: payload.length + limits.recordOverheadBytes,
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      throw refuse('undecodable-output', `${what}: ${error.message}`)
    }
  }

  async #askAgain(signal: AbortSignal): Promise<void> {
    const { clock, dialect, log } = this.#ports
    while (!signal.aborted) {
      const request = this.#queue.full ? null : this.#sequencer.request(clock.monotonicMs())
      if (request) {
        this.#meters.replays.inc()
        await this.#link.send(dialect.encode({ kind: 'REPLAY', ...request })).catch((error: unknown) => {
          if (!signal.aborted) log.warn({ err: error }, 'the engine does not take a replay request; asking again')
        })
      }
      await clock.sleep(limits.replayPollMs, signal)
    }
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports
    const { tickMs, batchBytes } = this.#settings
    let lastWriteMs = clock.monotonicMs()
    while (!signal.aborted || this.#queue.count > 0) {
      const batch = this.#queue.take({ maxCount: limits.batchCount, maxBytes: batchBytes })
      const idleMs = clock.monotonicMs() - lastWriteMs
      if (batch.length === 0 && idleMs < tickMs) {
        const waiting = new AbortController()
        await Promise.race([this.#queue.changed, clock.sleep(tickMs - idleMs, waiting.signal)])
        waiting.abort()
        continue
      }
      await this.#commit(batch)
      lastWriteMs = clock.monotonicMs()
    }
  }

  /** One transaction: the batch, or a Tick when there is none. Acknowledged after the commit, never before. */
  async #commit(batch: readonly Queued[]): Promise<void> {
    const { clock } = this.#ports
    const startMs = clock.monotonicMs()
    const records = batch.length > 0 ? batch.map(item => this.#record(item)) : [this.#tick()]
    await this.#writer.commitBatch({ records })
    this.#meters.commitSeconds.observe((clock.monotonicMs() - startMs) / 1000)
    this.#meters.pos.set(Number(this.#pos))
    const last = batch.at(-1)
    if (!last) return
    this.#durable = last.at
    this.#meters.records.inc(batch.length)
    this.#meters.seq.set(Number(last.at.seq))
    this.onProgress(last.at)
    this.#acknowledge()
  }

  #record(item: Queued): OutgoingRecord {
    const pos = this.#stamp()
    const value =
      item.kind === 'Session'
        ? encodeLogRecord({ kind: 'Session', pos, at: item.at })
        : encodeLogOutput(item.kind, { pos, at: item.at, payload: item.payload })
    return this.#outgoing(pos, value)
  }

  #tick(): OutgoingRecord {
    const pos = this.#stamp()
    return this.#outgoing(pos, encodeLogRecord({ kind: 'Tick', pos, at: this.#durable }))
  }

  #stamp(): Pos {
    const now = this.#ports.clock.nowUs()
    this.#pos = asPos(now > this.#pos ? now : this.#pos + 1n)
    return this.#pos
  }

  #outgoing(pos: Pos, value: Buffer): OutgoingRecord {
    return { topic: this.#settings.names.topics.log, partition: 0, key: null, value, timestampMs: pos / 1000n }
  }

  #acknowledge(): void {
    const { epoch, random, seq } = this.#durable
    if (epoch === 0n) return
    const ack = { kind: 'ACK', stream: this.#settings.names.stream, session: { epoch, random }, seq } as const
    // A lost ACK costs the engine some disk until the next one; it must not hold up the log.
    this.#link.send(this.#ports.dialect.encode(ack)).catch(() => this.#meters.lostAcks.inc())
  }
}
