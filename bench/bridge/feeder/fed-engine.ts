import { Publisher, Router } from 'zeromq'
import { zeroChain } from '../../../schemas/chain.ts'
import { type BridgeFrame, decodeBridgeFrame, encodeEngineFrame } from '../../../schemas/frames.ts'
import { type MadeOutput, OutputMaker, session } from '../outputs.ts'

const heartbeatMs = 250
/** Well above what is under way at any time: this engine drops nothing, so that nothing else is measured. */
const highWaterMark = 50_000

type Frames = readonly [Buffer, Buffer, Buffer]

/** An engine that does nothing but speak the protocol: it sends outputs made before, and answers from memory. */
export class FedEngine {
  readonly #live: Publisher
  readonly #replay: Router
  readonly #maker = new OutputMaker()
  #made: { readonly output: MadeOutput; readonly frames: Frames }[] = []
  /** Outputs before those now in memory. */
  #before = 0
  #sent = 0
  #sentChain: Buffer = zeroChain
  #acked = 0
  #replayed = 0
  #sending: Promise<void> = Promise.resolve()
  #answering: Promise<void> = Promise.resolve()
  onAck: () => void = () => {}

  private constructor(live: Publisher, replay: Router) {
    this.#live = live
    this.#replay = replay
  }

  static async open(): Promise<FedEngine> {
    const options = { sendHighWaterMark: highWaterMark, linger: 0 }
    const [live, replay] = [new Publisher(options), new Router(options)]
    await live.bind('tcp://127.0.0.1:*')
    await replay.bind('tcp://127.0.0.1:*')
    const engine = new FedEngine(live, replay)
    setInterval(() => void engine.#heartbeat(), heartbeatMs)
    void engine.#listen()
    return engine
  }

  get addresses(): { readonly live: string; readonly replay: string } {
    return { live: this.#live.lastEndpoint ?? '', replay: this.#replay.lastEndpoint ?? '' }
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
    const more = this.#maker.make(Math.max(0, count - unsent.length)).map(output => {
      const at = { ...session, seq: output.seq, chain: output.chain }
      return { output, frames: encodeEngineFrame({ kind: 'OUT', at, payload: output.payload }) }
    })
    this.#made = [...unsent, ...more]
  }

  /** Sends the `index`th of the outputs made last. */
  async send(index: number): Promise<void> {
    const made = this.#made[index]
    if (!made) throw new RangeError(`there is no output ${index}; ${this.#made.length} are made`)
    this.#sent = this.#before + index + 1
    this.#sentChain = made.output.chain
    await this.#publish(made.frames)
  }

  /** A socket takes one send at a time, and heartbeats come between. */
  #publish(frames: Frames): Promise<void> {
    this.#sending = this.#sending.then(() => this.#live.send([...frames]))
    return this.#sending
  }

  #heartbeat(): Promise<void> {
    const clockUs = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000))
    return this.#publish(encodeEngineFrame({ kind: 'HBT', at: this.#at, clockUs }))
  }

  get #at() {
    return { ...session, seq: BigInt(this.#sent), chain: this.#sentChain }
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
