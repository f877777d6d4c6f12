import type { BridgeFrame } from '../../../schemas/frames.ts'
import type { Sessions } from '../journal/sessions.ts'

type Ack = Extract<BridgeFrame, { kind: 'ACK' }>

export type AckOutcome =
  /** Durable at the other end up to this index. */
  | { readonly kind: 'acked'; readonly index: bigint }
  /** Nothing new. */
  | { readonly kind: 'stale' }
  | { readonly kind: 'other-stream' }
  | { readonly kind: 'unknown-session' }
  | { readonly kind: 'beyond-sent' }

/** Decides which ACKs count: only those of the configured stream, of a known session, of what was sent. */
export class Acks {
  readonly #stream: string
  readonly #sessions: Sessions
  #acked: bigint
  readonly counts: Record<AckOutcome['kind'], number> = {
    acked: 0,
    stale: 0,
    'other-stream': 0,
    'unknown-session': 0,
    'beyond-sent': 0,
  }

  constructor({ stream, sessions }: { readonly stream: string; readonly sessions: Sessions }) {
    this.#stream = stream
    this.#sessions = sessions
    this.#acked = sessions.current.first - 1n
  }

  /**
   * The highest index acknowledged; from the start of this session on, what earlier sessions left in the journal counts
   * as acknowledged: nobody may acknowledge it again, and the engine would wait for ever.
   */
  get acked(): bigint {
    return this.#acked
  }

  take(ack: Ack, sent: bigint): AckOutcome {
    const outcome = this.#decide(ack, sent)
    this.counts[outcome.kind]++
    if (outcome.kind === 'acked' && outcome.index > this.#acked) this.#acked = outcome.index
    return outcome
  }

  #decide({ stream, session, seq }: Ack, sent: bigint): AckOutcome {
    if (stream !== this.#stream) return { kind: 'other-stream' }
    const row = this.#sessions.find(session)
    if (!row) return { kind: 'unknown-session' }
    const index = row.first + seq - 1n
    const after = this.#sessions.after(row)
    const last = after ? after.first - 1n : sent
    if (index > last) return { kind: 'beyond-sent' }
    const isOfEarlierSession = after !== undefined
    return index > this.#acked || isOfEarlierSession ? { kind: 'acked', index } : { kind: 'stale' }
  }
}
