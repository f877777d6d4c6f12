import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Context } from 'zeromq'
import type { EnginePosition } from '../../core/events.ts'
import type { BridgeFrame, EngineFrame } from '../../schemas/frames.ts'
import { writeDump } from './dump.ts'
import type { Flow } from './flow/flow.ts'
import { Journal } from './journal/journal.ts'
import { Sessions, startOf } from './journal/sessions.ts'
import { MatchingEngine } from './matching-engine.ts'
import { Pacer } from './pacer.ts'
import { type Produced, Producer, type ProducerParts } from './producer.ts'
import { Acks } from './protocol/acks.ts'
import { CurveGate } from './protocol/curve-gate.ts'
import { LiveLoss } from './protocol/live-loss.ts'
import { LivePublisher } from './protocol/live-publisher.ts'
import type { Kept } from './protocol/replay-answer.ts'
import { ReplayServer, type ReplaySource } from './protocol/replay-server.ts'
import { avroWire, jsonWire } from './protocol/wire.ts'
import { type EngineSettings, SettingsError } from './settings.ts'

/** A line for whoever started the engine. */
export type Report =
  | { readonly kind: 'ready'; readonly session: SessionText; readonly live: string; readonly replay: string }
  | { readonly kind: 'progress'; readonly orders: number; readonly outputs: number; readonly of: number | null }
  | { readonly kind: 'ack'; readonly session: SessionText; readonly seq: string }
  | { readonly kind: 'done'; readonly session: SessionText; readonly seq: string; readonly outputs: number }
  | { readonly kind: 'stopped'; readonly session: SessionText; readonly seq: string; readonly outputs: number }
export type SessionText = { readonly epoch: string; readonly random: string }

export type EngineParts = {
  readonly settings: EngineSettings
  readonly flow: Flow
  readonly reference: ProducerParts['reference']
  readonly startUs: bigint
  readonly log: Logger
  readonly report: (report: Report) => void
  readonly wallClockUs: () => bigint
}

/** A group is made in one go, becomes durable at once and is then published. */
const groupLimits = { outputs: 512, bytes: 1024 * 1024, sliceMs: 5 } as const
const progressMs = 200
const pausedLogMs = 10_000

type Opened = {
  readonly producer: Producer
  readonly journal: Journal
  readonly sessions: Sessions
  readonly acks: Acks
  readonly live: LivePublisher
  readonly replay: ReplayServer | null
  readonly gate: CurveGate | null
}

/** The running engine: flow → matching → journal → sockets. */
export class EngineService {
  readonly #parts: EngineParts
  readonly #opened: Opened
  readonly #pacer: Pacer
  #sent: { readonly index: bigint; readonly chain: Buffer }
  #isStopping = false
  #progressAtMs = 0
  #trimming: Promise<unknown> = Promise.resolve()
  /** Resolves at `stop`; rejects when something beside the main loop fails for good. */
  readonly #end = Promise.withResolvers<void>()

  private constructor(parts: EngineParts, opened: Opened) {
    const { rate, maxUnacked } = parts.settings
    this.#parts = parts
    this.#opened = opened
    this.#pacer = new Pacer({ rate, maxUnacked, maxGroup: groupLimits.outputs }, () => performance.now())
    this.#sent = { index: opened.journal.last, chain: opened.journal.lastChain }
  }

  /** Recovers the state from the journal, binds the sockets and begins a session. */
  static async open(parts: EngineParts): Promise<EngineService> {
    const { settings, flow, reference, startUs, log } = parts
    const engine = new MatchingEngine({ fees: settings, unsaid: settings.unsaid })
    const producer = new Producer({ engine, flow, reference, startUs })
    const { journal, recovered } = await Journal.open(settings, {
      begin: () => ({ snapshot: producer.snapshot(), chain: producer.chain }),
      restore: snapshot => producer.restore(snapshot),
      redo: record => producer.redo(record),
    })
    if (recovered.tornBytes > 0) log.warn(recovered, 'a torn tail of the journal was cut off')
    const problems = producer.referenceProblems()
    if (problems.length > 0) throw new SettingsError(problems.map(problem => `ENGINE_SYMBOLS: ${problem}`))
    const context = new Context()
    const gate = settings.curve
      ? await CurveGate.open(context, {
          keys: settings.curve,
          onRefused: key => log.warn({ key }, 'a CURVE key that is not on the list was refused'),
        })
      : null
    const wire = settings.dialect === 'json' ? jsonWire(settings.chain) : avroWire
    const live = await LivePublisher.open(context, {
      mode: settings.liveMode,
      address: settings.liveAddress,
      highWaterMark: settings.liveHighWaterMark,
      stallMs: settings.liveStallMs,
      curve: settings.curve,
      wire,
    })
    // Bound now, served only when the service runs.
    const { replayAddress: address, curve } = settings
    const source: ReplaySource = {
      kept: () => service.#kept(),
      read: (from, to) => journal.read(from, to),
      onAck: ack => service.#onAck(ack),
    }
    const replay = address === null ? null : await ReplayServer.open(context, { address, curve, wire }, source)
    const sessions = await Sessions.begin(settings.folder, { last: journal.last, chain: journal.lastChain })
    const acks = new Acks({ stream: settings.stream, sessions })
    const { seed, liveLoss } = settings
    if (liveLoss > 0) live.loseBy(new LiveLoss({ seed, epoch: sessions.current.epoch, percent: liveLoss }))
    const service = new EngineService(parts, { producer, journal, sessions, acks, live, replay, gate })
    return service
  }

  /** Runs until `stop`: the flow first, then heartbeats and replays only. */
  async run(): Promise<void> {
    const { live, replay } = this.addresses
    this.#parts.report({ kind: 'ready', session: this.#session(), live, replay })
    const beat = setInterval(() => void this.#heartbeat().catch(this.#end.reject), this.#parts.settings.heartbeatMs)
    const { log } = this.#parts
    void this.#opened.live.watch(log)
    const serving = this.#opened.replay?.serve(log).catch(this.#end.reject)
    try {
      await Promise.race([this.#produce(), failureOf(this.#end.promise)])
      await this.#end.promise
    } finally {
      clearInterval(beat)
      await this.#close()
    }
    await serving
  }

  /** Ends the session after the group at hand. May be called again. */
  stop(): void {
    this.#isStopping = true
    this.#pacer.wake()
    this.#end.resolve()
  }

  get addresses(): { readonly live: string; readonly replay: string } {
    return { live: this.#opened.live.address, replay: this.#opened.replay?.address ?? 'none' }
  }

  async #produce(): Promise<void> {
    const { acks, journal, producer } = this.#opened
    let pausedSinceMs = performance.now()
    while (!this.#isStopping) {
      const unacked = this.#sent.index - acks.acked
      const room = this.#pacer.room(unacked)
      if (room === 0) {
        if (performance.now() - pausedSinceMs > pausedLogMs) {
          this.#parts.log.warn({ unacked: `${unacked}` }, 'paused: too many outputs are not acknowledged')
          pausedSinceMs = performance.now()
        }
        await this.#pacer.wait()
        continue
      }
      const group = this.#makeGroup(room)
      if (group.length === 0) break
      await journal.append(group)
      await this.#publish(group)
      if (journal.isSegmentFull) await journal.rotate(producer.snapshot())
      this.#pacer.made(group.length)
      this.#progress('now and then')
      pausedSinceMs = performance.now()
      await nextTurn()
    }
    if (this.#isStopping) return
    await this.#dump()
    this.#progress('always')
    this.#parts.report({ kind: 'done', session: this.#session(), ...this.#counts() })
  }

  #makeGroup(room: number): readonly Produced[] {
    const group: Produced[] = []
    const untilMs = performance.now() + groupLimits.sliceMs
    // A segment is closed after a group: small ones, which tests like, need small groups.
    const maxBytes = Math.min(groupLimits.bytes, this.#parts.settings.segmentBytes)
    let bytes = 0
    // The first is made however late it is: an empty group means that the flow has ended.
    while (group.length === 0 || (group.length < room && bytes < maxBytes && performance.now() < untilMs)) {
      const produced = this.#opened.producer.next()
      if (!produced) break
      group.push(produced)
      bytes += produced.payload.length + produced.step.length
    }
    return group
  }

  async #publish(group: readonly Produced[]): Promise<void> {
    const { live, sessions } = this.#opened
    const frames = group.map(({ index, chain, payload }): EngineFrame => {
      return { kind: 'OUT', at: sessions.position(index, chain), payload }
    })
    const last = group.at(-1)
    if (last) this.#sent = { index: last.index, chain: last.chain }
    await live.publish(frames)
  }

  async #heartbeat(): Promise<void> {
    await this.#opened.live.publish([{ kind: 'HBT', at: this.#position(), clockUs: this.#parts.wallClockUs() }])
  }

  #onAck(ack: Extract<BridgeFrame, { kind: 'ACK' }>): void {
    const { acks, journal } = this.#opened
    const outcome = acks.take(ack, this.#sent.index)
    if (this.#parts.settings.ackReports === 'on') this.#reportAck(ack)
    if (outcome.kind === 'acked') {
      this.#pacer.wake()
      const upTo = outcome.index - this.#parts.settings.ackMargin
      if (upTo > 0n) this.#trimming = this.#trimming.then(() => journal.trim(upTo)).catch(this.#end.reject)
      return
    }
    if (outcome.kind === 'stale') return
    const count = acks.counts[outcome.kind]
    // The first of each kind is news, a flood of them is not.
    if (count === 1 || count % 10_000 === 0)
      this.#parts.log.warn({ ...outcome, count, stream: ack.stream, seq: `${ack.seq}` }, 'an ACK was ignored')
  }

  /** Also of what is acknowledged again: whoever follows the ACKs wants each of our stream. */
  #reportAck({ stream, session, seq }: Extract<BridgeFrame, { kind: 'ACK' }>): void {
    if (stream !== this.#parts.settings.stream) return
    const { epoch, random } = session
    this.#parts.report({ kind: 'ack', session: { epoch: `${epoch}`, random: `${random}` }, seq: `${seq}` })
  }

  #kept(): Kept {
    const { journal, sessions } = this.#opened
    const { first, chainBeforeFirst } = journal
    return { sessions, first, chainBeforeFirst, sent: this.#sent.index, sentChain: this.#sent.chain }
  }

  #position(): EnginePosition {
    const { sessions } = this.#opened
    const { index, chain } = this.#sent
    return index < sessions.current.first ? startOf(sessions.current) : sessions.position(index, chain)
  }

  #session(): SessionText {
    const { epoch, random } = this.#opened.sessions.current
    return { epoch: `${epoch}`, random: `${random}` }
  }

  #counts(): { readonly seq: string; readonly outputs: number } {
    return { seq: `${this.#position().seq}`, outputs: Number(this.#sent.index) }
  }

  #progress(when: 'now and then' | 'always'): void {
    const now = performance.now()
    if (when === 'now and then' && now - this.#progressAtMs < progressMs) return
    this.#progressAtMs = now
    const { flow, report } = this.#parts
    report({ kind: 'progress', orders: flow.orders(), outputs: Number(this.#sent.index), of: flow.ordersInAll() })
  }

  #dump(): Promise<void> {
    const { producer, sessions } = this.#opened
    const { dumpFile, stream, seed } = this.#parts.settings
    const { index, chain } = producer
    return writeDump(dumpFile, { stream, seed, engine: producer.engine, sessions, last: index, chain })
  }

  /** EOS is the last frame of the session. */
  async #close(): Promise<void> {
    const { live, replay, journal, gate, acks, producer } = this.#opened
    await live.publish([{ kind: 'EOS', at: this.#position() }])
    replay?.close()
    await live.close()
    gate?.close()
    await this.#trimming
    await journal.close()
    await this.#dump()
    const counts = {
      acks: acks.counts,
      replay: replay?.counts ?? null,
      dropped: live.dropped,
      refused: producer.refused,
    }
    this.#parts.log.info(counts, 'the session is over')
    this.#parts.report({ kind: 'stopped', session: this.#session(), ...this.#counts() })
  }
}

/** Rejects when `work` does; never resolves. */
const failureOf = (work: Promise<unknown>): Promise<never> => new Promise((_resolve, reject) => void work.catch(reject))
