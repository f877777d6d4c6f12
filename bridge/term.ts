import type { EnginePosition } from '../core/events.ts'
import type { Pos } from '../core/ids.ts'
import { KafkaFailure, type TxWriter } from '../runtime/kafka/port.ts'
import { refuse } from '../runtime/stop.ts'
import { DecodeError, logOutputBytes, writeLogOutput } from '../schemas/codec.ts'
import type { BridgePorts, BridgeSettings } from './bridge.ts'
import { ClockGuard } from './clock-guard.ts'
import type { DialectFrame } from './dialects/dialect.ts'
import type { DropLog } from './drop-log.ts'
import { type Effect, type Halt, named } from './effect.ts'
import type { EngineLink } from './engine-link.ts'
import { inspectOutput } from './inspect-output.ts'
import { limits } from './limits.ts'
import type { LogTail } from './log-tail.ts'
import { type Answer, LogWriter } from './log-writer.ts'
import type { BridgeMeters } from './meters.ts'
import {
  type CommandDesk,
  type GapCommand,
  type GapOutcome,
  type OperatorCommands,
  stepProblem,
} from './operator-commands.ts'
import { Sequencer } from './sequencer.ts'
import { Slab } from './slab.ts'

export type TermOptions = {
  readonly settings: BridgeSettings
  readonly ports: BridgePorts
  readonly meters: BridgeMeters
  readonly drops: DropLog
  readonly writer: TxWriter
  readonly link: EngineLink
  readonly commands: OperatorCommands
  readonly tail: LogTail
}

type Meeting = { readonly gap: GapCommand; readonly offset: bigint; readonly meet: (outcome: GapOutcome) => void }

/** From one fence to the next: the receive loops fill the queue, the writer empties it, operators are answered between. */
export class Term implements CommandDesk {
  readonly #settings: BridgeSettings
  readonly #ports: BridgePorts
  readonly #meters: BridgeMeters
  readonly #drops: DropLog
  readonly #link: EngineLink
  readonly #commands: OperatorCommands
  readonly #sequencer: Sequencer
  readonly #guard: ClockGuard
  readonly #writer: LogWriter
  readonly #slab = new Slab()
  #ackedMs = 0
  /** The Gap that waits for the stop it is for. */
  #meeting: Meeting | null = null

  constructor(options: TermOptions) {
    const { settings, ports, meters, writer, link, tail } = options
    this.#settings = settings
    this.#ports = ports
    this.#meters = meters
    this.#drops = options.drops
    this.#link = link
    this.#commands = options.commands
    this.#sequencer = new Sequencer(tail.at, limits.sequencer, {
      replays: link.replays,
      inspect: inspectOutput(settings.maxOutputBytes),
    })
    this.#guard = new ClockGuard({
      clock: ports.clock,
      brokerTimeMs: () => ports.kafka.brokerTimeMs(settings.names.topics.clock),
      limits: { ...limits.clock, jumpMs: settings.clockJumpMs, toleranceMs: settings.clockToleranceMs },
    })
    const onDurable = (): void => this.#acknowledge()
    this.#writer = new LogWriter({ settings, ports, meters, writer, guard: this.#guard, tail, onDurable })
  }

  get at(): EnginePosition {
    return this.#sequencer.at
  }

  get pos(): Pos {
    return this.#writer.pos
  }

  /** What an operator asks first. */
  get health(): { readonly ok: boolean; readonly [detail: string]: unknown } {
    const { epoch, seq } = this.#writer.durable
    const { behind, buffered, fruitless } = this.#sequencer
    const ok = fruitless < limits.fruitlessReplays
    return { ok, epoch, seq, pos: this.pos, behind, buffered, queued: this.#writer.queue.count, fruitless }
  }

  /** Goes on until the signal is aborted. What was taken is written first, whatever ends the term. */
  async run(signal: AbortSignal): Promise<void> {
    const over = new AbortController()
    const end = (): void => {
      over.abort()
      this.#link.close()
      this.#meet({ kind: 'over' })
      this.#writer.queue.wake()
    }
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    const failures: unknown[] = []
    const part = (work: Promise<void>): Promise<void> =>
      work.catch((error: unknown) => void failures.push(error)).finally(end)
    // What is durable may not have been acknowledged before the last term ended.
    this.#acknowledge()
    try {
      await Promise.all([
        part(this.#commands.run(this, over.signal)),
        part(this.#receive('live', over.signal)),
        part(this.#receive('replay', over.signal)),
        part(this.#askAgain(over.signal)),
        part(this.#writer.run(over.signal)),
      ])
    } finally {
      signal.removeEventListener('abort', end)
    }
    // A stop counts when all that was taken before it could be written: how Kafka failed comes first.
    const failure = failures.find(error => error instanceof KafkaFailure) ?? failures[0]
    if (failure !== undefined) throw failure
  }

  async answer(answer: Answer, offset: bigint): Promise<void> {
    const { queue } = this.#writer
    while (queue.full) await queue.changed()
    this.#meters.commands.inc({ answer: answer.kind })
    queue.add({ kind: 'Answer', at: this.at, answer, offset, bytes: limits.recordOverheadBytes })
  }

  async meetGap(gap: GapCommand, offset: bigint): Promise<GapOutcome> {
    const { promise, resolve } = Promise.withResolvers<GapOutcome>()
    this.#meeting = { gap, offset, meet: resolve }
    const waited = new AbortController()
    void this.#ports.clock.sleep(limits.gapWaitMs, waited.signal).then(() => {
      if (!waited.signal.aborted)
        this.#meet({
          kind: 'refused',
          reason: `in ${limits.gapWaitMs} ms the engine did not say that anything after ${named(gap.after)} is lost`,
        })
    })
    try {
      return await promise
    } finally {
      waited.abort()
    }
  }

  #meet(outcome: GapOutcome): void {
    this.#meeting?.meet(outcome)
    this.#meeting = null
  }

  async #receive(source: 'live' | 'replay', signal: AbortSignal): Promise<void> {
    // A stop that an operator has answered already must find the answer.
    await this.#commands.read
    const { queue } = this.#writer
    while (!signal.aborted) {
      // A full queue: the socket is not read, and the engine's journal holds the rest.
      if (queue.full && !this.#mustHear(source)) {
        await queue.changed()
        this.#sequencer.heldUp(this.#ports.clock.monotonicMs())
        continue
      }
      const frames = await this.#link.receive(source)
      if (!frames) return
      this.#take(frames, source)
    }
  }

  /** A full queue waits for the clock, the clock for a heartbeat: so the live socket is read on where it can be replayed. */
  #mustHear(source: 'live' | 'replay'): boolean {
    return source === 'live' && this.#guard.waiting && this.#link.replays
  }

  #take(frames: readonly Buffer[], source: 'live' | 'replay'): void {
    const frame = this.#decoded(frames, source)
    if (!frame) return
    if (source === 'live' && (frame.kind === 'END' || frame.kind === 'TRIMMED'))
      return this.#drops.drop('malformed', frame.at, `dropped ${frame.kind}, an answer, on the live socket`)
    if (frame.kind === 'OUT' && source === 'live' && this.#writer.queue.full && this.#mustHear(source)) {
      this.#drops.drop('queue-full', frame.at, 'dropped an output that will be replayed: nothing can be written yet')
      return this.#sequencer.lost()
    }
    const effects = this.#sequencer.take(frame, this.#ports.clock.monotonicMs(), source)
    if (frame.kind === 'HBT' && source === 'live' && !effects.some(({ kind }) => kind === 'drop'))
      this.#guard.heard(frame.clockUs)
    for (const effect of effects) this.#apply(effect)
    if (this.#sequencer.behind) this.#ask()
  }

  /** A stranger, or the network, can't stop the stream: what was lost with a malformed message is replayed. */
  #decoded(frames: readonly Buffer[], source: 'live' | 'replay'): DialectFrame | null {
    try {
      return this.#ports.dialect.decode(frames)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      if (source === 'replay' || !this.#link.replays)
        throw refuse('undecodable-frame', `${error.message}; what the engine sends is not our protocol`)
      this.#drops.drop('malformed', null, `dropped a message that is not of the engine's protocol: ${error.message}`)
      this.#sequencer.lost()
      return null
    }
  }

  #apply(effect: Effect): void {
    switch (effect.kind) {
      case 'take':
        if (this.#meeting)
          this.#meet({ kind: 'refused', reason: `nothing is lost: the engine delivered ${named(effect.at)}` })
        return this.#queue(effect)
      case 'session':
        return this.#writer.queue.add({ kind: 'Session', at: effect.at, bytes: limits.recordOverheadBytes })
      case 'drop':
        return this.#drops.drop(effect.reason, effect.at, 'dropped a frame')
      case 'halt':
        return this.#halt(effect)
    }
  }

  #queue({ at, payload, record: kind }: Extract<Effect, { kind: 'take' }>): void {
    const record = this.#slab.take(logOutputBytes(payload))
    writeLogOutput(kind, { at, payload }, record)
    this.#writer.queue.add({ kind: 'Output', record, bytes: record.length + limits.recordOverheadBytes })
  }

  /** Stops, unless an operator has accepted the loss: then the log says so in this very place, and goes on behind it. */
  #halt({ code, message, resumeAt }: Halt): void {
    if (!this.#meeting) throw refuse(code, message)
    const { gap, offset } = this.#meeting
    const to = gap.to ?? resumeAt
    // The engine has not said yet where it can go on; its next heartbeat does.
    if (!to && code === 'gap-without-replay') return
    const problem = to ? stepProblem(this.at, to) : `the engine can't say where to go on (${message}); say it with --to`
    if (!to || problem !== null) {
      this.#meet({ kind: 'refused', reason: problem ?? message })
      return
    }
    this.#ports.log.warn({ from: named(this.at), to: named(to), why: gap.command.why }, 'a loss is accepted')
    this.#sequencer.accept(to)
    const answer: Answer = { kind: 'Gap', command: gap.command, lostAfter: gap.after }
    this.#meters.commands.inc({ answer: answer.kind })
    this.#writer.queue.add({ kind: 'Answer', at: to, answer, offset, bytes: limits.recordOverheadBytes })
    this.#meet({ kind: 'accepted' })
  }

  /** What has to be said to the engine again and again: what is missing, and how far everything is durable. */
  async #askAgain(signal: AbortSignal): Promise<void> {
    await this.#commands.read
    const { clock, log } = this.#ports
    let alarmed = 0
    while (!signal.aborted) {
      this.#measure()
      this.#ask()
      const { fruitless } = this.#sequencer
      if (fruitless >= limits.fruitlessReplays && fruitless > alarmed)
        log.error({ after: named(this.at), requests: fruitless }, 'outputs are missing and the engine replays nothing')
      alarmed = fruitless
      if (clock.monotonicMs() - this.#ackedMs >= limits.ackRepeatMs) this.#acknowledge()
      await clock.sleep(limits.replayPollMs, signal)
    }
  }

  /** Asks for what is missing, if it is time to. */
  #ask(): void {
    const { clock, dialect, log } = this.#ports
    const request = this.#writer.queue.full ? null : this.#sequencer.request(clock.monotonicMs())
    if (!request) return
    this.#meters.replays.inc()
    this.#link.send(dialect.encode({ kind: 'REPLAY', ...request })).catch((error: unknown) => {
      log.warn({ err: error }, 'the engine does not take a replay request; asking again')
    })
  }

  #measure(): void {
    const { behind, buffered, fruitless } = this.#sequencer
    this.#meters.behind.set(behind ? 1 : 0)
    this.#meters.buffered.set(buffered)
    this.#meters.fruitlessReplays.set(fruitless)
    this.#meters.queued.set(this.#writer.queue.count)
    const ahead = this.#guard.aheadOfEngineUs
    if (ahead !== null) this.#meters.aheadOfEngineUs.set(Number(ahead))
  }

  #acknowledge(): void {
    this.#ackedMs = this.#ports.clock.monotonicMs()
    const { epoch, random, seq } = this.#writer.durable
    if (epoch === 0n) return
    const ack = { kind: 'ACK', stream: this.#settings.names.stream, session: { epoch, random }, seq } as const
    // A lost ACK costs the engine some disk until the next one; it must not hold up the log.
    this.#link.send(this.#ports.dialect.encode(ack)).catch(() => this.#meters.lostAcks.inc())
  }
}
