import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type Context, Router } from 'zeromq'
import { DecodeError } from '../../../schemas/codec.ts'
import type { BridgeFrame, EngineFrame } from '../../../schemas/frames.ts'
import type { JournalRecord } from '../journal/journal-record.ts'
import { attach } from './address.ts'
import { type CurveKeys, curveOptions } from './curve-gate.ts'
import { watchHandshakes } from './handshakes.ts'
import type { Wire } from './wire.ts'
import { answerTo, beforeFirst, endOf, type Kept, type ReplayRequest } from './replay-answer.ts'

export type ReplaySettings = {
  readonly address: string
  readonly curve: CurveKeys | null
  readonly wire: Wire
}

/** What the server answers from. */
export type ReplaySource = {
  kept(): Kept
  read(from: bigint, to: bigint): AsyncGenerator<readonly JournalRecord[], void, undefined>
  onAck(ack: Extract<BridgeFrame, { kind: 'ACK' }>): void
}

const replayLimits = {
  /** Frames that wait in the socket for one peer. */
  highWaterMark: 1_000,
  /** Frames sent to one peer before the next peer's turn, and before the engine's. */
  framesPerTurn: 64,
  peers: 64,
  requestsPerPeer: 8,
  /** Pause when no peer takes anything. */
  idleMs: 5,
  /** A peer that takes nothing for this long is given up; it asks again when it wants to. */
  stalledMs: 60_000,
  lingerMs: 1_000,
} as const

type Peer = {
  readonly identity: Buffer
  /** The first one is being answered. One after the other: an answer doesn't say which request it belongs to. */
  readonly requests: ReplayRequest[]
  answer: AsyncGenerator<EngineFrame, void, undefined> | null
  /** Taken from the answer but not yet by the socket. */
  waiting: EngineFrame | null
  tookAtMs: number
}

export type ReplayCounts = { requests: number; refused: number; malformed: number; abandoned: number; frames: number }

/** Answers REPLAY from the journal and takes ACKs. Several peers in turns; memory is bounded by what one read brings. */
export class ReplayServer {
  readonly #socket: Router
  readonly #source: ReplaySource
  readonly #wire: Wire
  readonly #peers = new Map<string, Peer>()
  readonly counts: ReplayCounts = { requests: 0, refused: 0, malformed: 0, abandoned: 0, frames: 0 }
  #wake: () => void = () => {}
  #isClosed = false

  private constructor(socket: Router, wire: Wire, source: ReplaySource) {
    this.#socket = socket
    this.#wire = wire
    this.#source = source
  }

  static async open(
    context: Context,
    { address, curve, wire }: ReplaySettings,
    source: ReplaySource,
  ): Promise<ReplayServer> {
    const socket = new Router({
      context,
      mandatory: true,
      sendTimeout: 0,
      sendHighWaterMark: replayLimits.highWaterMark,
      linger: replayLimits.lingerMs,
      ...curveOptions(curve),
    })
    await attach(address, () => socket.bind(address))
    return new ReplayServer(socket, wire, source)
  }

  /** Where it is bound, with the port that was chosen. */
  get address(): string {
    return this.#socket.lastEndpoint ?? ''
  }

  /** Serves until closed. Rejects when the journal can't be read. */
  async serve(log: Logger): Promise<void> {
    // Not waited for: libzmq may keep the end of its events to itself when a socket closes.
    void watchHandshakes(this.#socket.events, { log, name: 'replay' })
    await Promise.all([this.#receive(), this.#send()])
  }

  close(): void {
    this.#isClosed = true
    this.#socket.close()
    this.#wake()
  }

  async #receive(): Promise<void> {
    for await (const [identity, ...frames] of this.#socket) {
      if (!identity) continue
      try {
        this.#take(identity, this.#wire.decode(frames))
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error
        this.counts.malformed++
      }
    }
  }

  #take(identity: Buffer, frame: BridgeFrame): void {
    if (frame.kind === 'ACK') return this.#source.onAck(frame)
    this.counts.requests++
    const key = identity.toString('hex')
    const peer = this.#peers.get(key) ?? newPeer(identity)
    const isFull = peer.requests.length >= replayLimits.requestsPerPeer
    const isOneTooMany = !this.#peers.has(key) && this.#peers.size >= replayLimits.peers
    if (isFull || isOneTooMany || peer.requests.some(known => isSame(known, frame))) {
      this.counts.refused++
      return
    }
    peer.requests.push(frame)
    this.#peers.set(key, peer)
    this.#wake()
  }

  async #send(): Promise<void> {
    try {
      while (!this.#isClosed) {
        if (this.#peers.size === 0) await new Promise<void>(resolve => (this.#wake = resolve))
        let sent = 0
        for (const [key, peer] of this.#peers) sent += await this.#turn(key, peer)
        if (this.#isClosed) return
        if (sent === 0 && this.#peers.size > 0) await pause(replayLimits.idleMs)
        else await nextTurn()
      }
    } finally {
      // An answer in the middle holds a file of the journal open.
      for (const { answer } of this.#peers.values()) await answer?.return()
    }
  }

  /** Sends to one peer until its turn is over or it takes no more; returns how many frames it took. */
  async #turn(key: string, peer: Peer): Promise<number> {
    for (let sent = 0; sent < replayLimits.framesPerTurn; sent++) {
      const frame = peer.waiting ?? (await this.#nextFrame(peer))
      if (!frame) {
        this.#peers.delete(key)
        return sent
      }
      peer.waiting = frame
      const outcome = await this.#offer(peer.identity, frame)
      if (outcome === 'taken') {
        peer.waiting = null
        peer.tookAtMs = performance.now()
        this.counts.frames++
        continue
      }
      if (outcome === 'gone' || performance.now() - peer.tookAtMs > replayLimits.stalledMs)
        await this.#abandon(key, peer)
      return sent
    }
    return replayLimits.framesPerTurn
  }

  async #nextFrame(peer: Peer): Promise<EngineFrame | null> {
    for (let request = peer.requests[0]; request; request = peer.requests[0]) {
      peer.answer ??= this.#answer(request)
      const step = await peer.answer.next()
      if (!step.done) return step.value
      peer.answer = null
      peer.requests.shift()
    }
    return null
  }

  async *#answer(request: ReplayRequest): AsyncGenerator<EngineFrame, void, undefined> {
    const kept = this.#source.kept()
    const answer = answerTo(request, kept)
    if (answer.kind === 'trimmed') {
      yield { kind: 'TRIMMED', at: answer.at }
      return
    }
    let next = answer.from
    for await (const group of this.#source.read(answer.from, answer.to))
      for (const { index, chain, payload } of group) {
        yield { kind: 'OUT', at: kept.sessions.position(index, chain), payload }
        next = index + 1n
      }
    const now = this.#source.kept()
    // An ACK may have trimmed what was still to come.
    if (next <= answer.to) yield { kind: 'TRIMMED', at: beforeFirst(now) }
    else yield endOf(answer.session, now)
  }

  async #offer(identity: Buffer, frame: EngineFrame): Promise<'taken' | 'full' | 'gone'> {
    try {
      await this.#socket.send([identity, ...this.#wire.encode(frame)])
      return 'taken'
    } catch (error) {
      if (this.#isClosed) return 'gone'
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EAGAIN') return 'full'
      if (code === 'EHOSTUNREACH') return 'gone'
      throw error
    }
  }

  async #abandon(key: string, peer: Peer): Promise<void> {
    this.counts.abandoned++
    this.#peers.delete(key)
    await peer.answer?.return()
  }
}

const newPeer = (identity: Buffer): Peer => ({
  identity: Buffer.from(identity),
  requests: [],
  answer: null,
  waiting: null,
  tookAtMs: performance.now(),
})

const isSame = (a: ReplayRequest, b: ReplayRequest): boolean =>
  a.from === b.from && a.to === b.to && a.session?.epoch === b.session?.epoch && a.session?.random === b.session?.random
