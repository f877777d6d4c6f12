import type { Line } from '../supervised.ts'

export type Ack = { readonly epoch: bigint; readonly random: bigint; readonly seq: bigint }

/** Every ACK that the engine was given, as it tells them at once; ENGINE_ACK_REPORTS must be on. */
export class Acks {
  /** The highest of each session, by epoch/random. */
  readonly highest = new Map<string, Ack>()
  #count = 0
  #waiting: ((ack: Ack) => void)[] = []

  get count(): number {
    return this.#count
  }

  /** A line of the engine's stdout. */
  read({ kind, session, seq }: Line): void {
    if (kind !== 'ack' || typeof session !== 'object' || session === null || typeof seq !== 'string') return
    const { epoch, random } = session as { readonly epoch: string; readonly random: string }
    const ack = { epoch: BigInt(epoch), random: BigInt(random), seq: BigInt(seq) }
    this.#count++
    const key = sessionKey(ack)
    const before = this.highest.get(key)
    const isNew = !before || ack.seq > before.seq
    if (!isNew) return
    this.highest.set(key, ack)
    const waiting = this.#waiting
    this.#waiting = []
    for (const tell of waiting) tell(ack)
  }

  /** Calls `act` at the very next ACK of something new, in the same turn; returns how to stop waiting. */
  atNext(act: (ack: Ack) => void): () => void {
    this.#waiting.push(act)
    return () => {
      this.#waiting = this.#waiting.filter(waiting => waiting !== act)
    }
  }
}

export const sessionKey = ({ epoch, random }: Pick<Ack, 'epoch' | 'random'>): string => `${epoch}/${random}`
