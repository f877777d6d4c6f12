import { Router } from 'zeromq'
import { zeroChain } from '../../schemas/chain.ts'
import { type BridgeFrame, decodeBridgeFrame, encodeEngineFrame } from '../../schemas/frames.ts'
import type { Session } from '../../core/events.ts'
import { ZmtpPublisher, zmtpMessage } from './zmtp-publisher.ts'

const heartbeatMs = 250
/** An output with its place in the engine's sequence; the chain is the one after it. */
export type MadeOutput = { readonly seq: bigint; readonly chain: Buffer; readonly payload: Buffer }

/** Where a fed engine's outputs come from: the next `count` of one session. */
export type OutputSource = { readonly session: Session; make(count: number): readonly MadeOutput[] }

type Frames = readonly [Buffer, Buffer, Buffer]
/** `end`: of its message among the bytes of all. */
type Made = { readonly chain: Buffer; readonly frames: Frames; readonly end: number }

/** An engine that does nothing but speak the protocol: it sends outputs made before, and answers from memory. */
export class FedEngine {
  readonly #live: ZmtpPublisher
  readonly #replay: Router
  readonly #source: OutputSource
  #made: readonly Made[] = []
  /** The messages of all that is made, one after the other. */
  #bytes: Buffer = Buffer.alloc(0)
  /** Outputs before those now in memory. */
  #before = 0
  #sent = 0
  #sentChain: Buffer = zeroChain
  #acked = 0
  #replayed = 0
  #answering: Promise<void> = Promise.resolve()
  onAck: () => void = () => {}

  private constructor(source: OutputSource, live: ZmtpPublisher, replay: Router) {
    this.#source = source
    this.#live = live
    this.#replay = replay
  }

  static async open(source: OutputSource): Promise<FedEngine> {
    const live = await ZmtpPublisher.open()
    const replay = new Router({ linger: 0 })
    await replay.bind('tcp://127.0.0.1:*')
    const engine = new FedEngine(source, live, replay)
    setInterval(() => engine.#heartbeat(), heartbeatMs)
    void engine.#listen()
    return engine
  }

  get addresses(): { readonly live: string; readonly replay: string } {
    return { live: this.#live.address, replay: this.#replay.lastEndpoint ?? '' }
  }

  /** Of the outputs made last. */
  get acked(): number {
    return this.#acked - this.#before
  }

  /** Outputs sent again because the bridge asked for them: lost on the live socket. */
  get replayed(): number {
    return this.#replayed
  }

  /** Makes the next outputs ready; those before must all be acknowledged, since they are forgotten. */
  make(count: number): void {
    if (this.#acked < this.#sent)
      throw new Error(`outputs ${this.#acked + 1} to ${this.#sent} are not acknowledged yet`)
    const unsent = this.#made.slice(this.#sent - this.#before)
    this.#before = this.#sent
    const frames = [
      ...unsent.map(({ chain, frames }) => ({ chain, frames })),
      ...this.#source.make(Math.max(0, count - unsent.length)).map(({ seq, chain, payload }) => {
        return {
          chain,
          frames: encodeEngineFrame({ kind: 'OUT', at: { ...this.#source.session, seq, chain }, payload }),
        }
      }),
    ]
    const messages = frames.map(each => zmtpMessage(each.frames))
    this.#bytes = Buffer.concat(messages)
    let end = 0
    this.#made = frames.map((each, i) => ({ ...each, end: (end += messages[i]?.length ?? 0) }))
  }

  /** Sends the outputs made last from the `from`th on, up to but without the `to`th. */
  send(from: number, to: number): void {
    const last = this.#made[to - 1]
    if (!last || from >= to)
      throw new RangeError(`there are no outputs ${from} to ${to}; ${this.#made.length} are made`)
    this.#sent = this.#before + to
    this.#sentChain = last.chain
    this.#live.write(this.#bytes.subarray(this.#made[from - 1]?.end ?? 0, last.end))
  }

  #heartbeat(): void {
    const clockUs = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000))
    this.#live.write(zmtpMessage(encodeEngineFrame({ kind: 'HBT', at: this.#at, clockUs })))
  }

  get #at() {
    return { ...this.#source.session, seq: BigInt(this.#sent), chain: this.#sentChain }
  }

  async #listen(): Promise<void> {
    for await (const [peer, ...frames] of this.#replay) {
      const frame = decodeBridgeFrame(frames)
      if (frame.kind === 'ACK') {
        this.#acked = Math.max(this.#acked, Number(frame.seq))
        this.onAck()
      } else if (peer) this.#answering = this.#answering.then(() => this.#answer(peer, frame))
    }
  }

  async #answer(peer: Buffer, { from, to }: Extract<BridgeFrame, { kind: 'REPLAY' }>): Promise<void> {
    const end = { kind: 'END', at: this.#at, over: false, next: null } as const
    const last = to > 0n && to < end.at.seq ? Number(to) : Number(end.at.seq)
    for (let seq = Math.max(1, Number(from)); seq <= last; seq++) {
      const made = this.#made[seq - this.#before - 1]
      if (!made) throw new Error(`output ${seq} was acknowledged and forgotten, yet the bridge asks for it`)
      this.#replayed++
      await this.#replay.send([peer, ...made.frames])
    }
    await this.#replay.send([peer, ...encodeEngineFrame(end)])
  }
}
