import { onTestFinished } from 'vitest'
import { Context, Publisher, Push, Router } from 'zeromq'
import type { EnginePosition } from '../../core/events.ts'
import { systemClock } from '../../runtime/clock.ts'
import { nextChain, zeroChain } from '../../schemas/chain.ts'
import { DecodeError } from '../../schemas/codec.ts'
import type { EngineFrame } from '../../schemas/frames.ts'
import { avroWire, type Wire } from '../../sim/engine/protocol/wire.ts'

export type OutFrame = Extract<EngineFrame, { kind: 'OUT' }>
const paperSession = { epoch: 3n, random: 11n }

/** These payloads as one session's outputs. */
export const journalOf = (payloads: readonly Buffer[]): readonly OutFrame[] => {
  let chain = zeroChain
  return payloads.map((payload, i) => {
    chain = nextChain(chain, payload)
    return { kind: 'OUT', at: { ...paperSession, seq: BigInt(i + 1), chain }, payload }
  })
}

/** An engine that is a list of outputs and real sockets, for tests that decide every frame themselves. */
export class PaperEngine {
  readonly journal: readonly OutFrame[]
  readonly replay: string
  acked = 0n
  /** How many of its outputs exist so far: no heartbeat and no answer goes beyond them. */
  published: number
  /** What is sent in the place of each message of an answer. */
  onAnswer: (message: readonly Buffer[]) => readonly (readonly Buffer[])[] = message => [message]
  readonly #wire: Wire
  readonly #encoded = new Map<EngineFrame, readonly Buffer[]>()
  readonly #live: Publisher | Push
  readonly #router: Router
  #sending: Promise<void> = Promise.resolve()

  private constructor(journal: readonly OutFrame[], wire: Wire, live: Publisher | Push, router: Router) {
    this.journal = journal
    this.published = journal.length
    this.#wire = wire
    this.#live = live
    this.#router = router
    this.replay = router.lastEndpoint ?? ''
  }

  /** `pushTo`: connects PUSH there instead of binding PUB. */
  static async open(
    payloads: readonly Buffer[],
    { wire = avroWire, pushTo = null }: { readonly wire?: Wire; readonly pushTo?: string | null } = {},
  ): Promise<PaperEngine> {
    const options = { context: new Context(), linger: 0, sendHighWaterMark: 100_000 }
    const live = pushTo === null ? new Publisher(options) : new Push(options)
    const router = new Router(options)
    if (pushTo === null) await live.bind('tcp://127.0.0.1:*')
    else live.connect(pushTo)
    await router.bind('tcp://127.0.0.1:*')
    const engine = new PaperEngine(journalOf(payloads), wire, live, router)
    const beat = setInterval(() => void engine.heartbeat(), 20)
    const serving = engine.#serve()
    onTestFinished(async () => {
      clearInterval(beat)
      await engine.#sending
      live.close()
      router.close()
      await serving
    })
    return engine
  }

  /** Where it is bound; of a PUB only. */
  get live(): string {
    return this.#live.lastEndpoint ?? ''
  }

  encode(frame: EngineFrame): readonly Buffer[] {
    const message = this.#encoded.get(frame) ?? this.#wire.encode(frame)
    if (frame.kind === 'OUT') this.#encoded.set(frame, message)
    return message
  }

  /** Sends any message on the live socket. */
  say(message: readonly Buffer[]): Promise<void> {
    this.#sending = this.#sending.then(() => (this.#live.closed ? undefined : this.#live.send([...message])))
    return this.#sending
  }

  async heartbeat(): Promise<void> {
    await this.say(this.encode({ kind: 'HBT', at: this.#at, clockUs: systemClock.nowUs() }))
  }

  get #at(): EnginePosition {
    return this.journal[this.published - 1]?.at ?? { ...paperSession, seq: 0n, chain: zeroChain }
  }

  async #serve(): Promise<void> {
    for await (const [identity, ...frames] of this.#router) {
      if (!identity) continue
      for (const frame of this.#answer(frames))
        for (const message of this.onAnswer(this.encode(frame)))
          if (!this.#router.closed) await this.#router.send([identity, ...message])
    }
  }

  #answer(frames: readonly Buffer[]): readonly EngineFrame[] {
    try {
      const asked = this.#wire.decode(frames)
      if (asked.kind === 'ACK' && asked.seq > this.acked) this.acked = asked.seq
      if (asked.kind === 'ACK') return []
      const wanted = this.journal
        .slice(0, this.published)
        .filter(({ at }) => at.seq >= asked.from && (asked.to === 0n || at.seq <= asked.to))
      return [...wanted, { kind: 'END', at: this.#at, over: false, next: null }]
    } catch (error) {
      if (error instanceof DecodeError) return []
      throw error
    }
  }
}
