import type { EngineOutput, Session } from '../../core/events.ts'
import { amount, assetId, orderId, price, symbolId, userId, version } from '../../core/ids.ts'
import { nextChain, zeroChain } from '../../schemas/chain.ts'
import { encodeEngineOutput } from '../../schemas/codec.ts'
import type { MadeOutput, OutputSource } from '../fed-engine/fed-engine.ts'

/** Bytes of each payload, to the byte: what the figures are told for. */
export const payloadBytes = 300

/** One life of the benchmark's engine; a run has one. */
export const session: Session = { epoch: 1n, random: 0x5e771eb37c4n }

/**
 * The outputs of an engine, made before they are sent, so that sending costs no more than it must. The same seq is the
 * same bytes in every process: the bridge and the port are fed the same records.
 */
export class OutputMaker implements OutputSource {
  readonly session = session
  #seq = 0n
  #chain: Buffer = zeroChain

  /** The next `count` outputs. */
  make(count: number): MadeOutput[] {
    return Array.from({ length: count }, () => {
      this.#seq++
      const payload = payloadOf(this.#seq)
      this.#chain = nextChain(this.#chain, payload)
      return { seq: this.#seq, chain: this.#chain, payload }
    })
  }
}

const startUs = 1_767_605_400_000_000n
const users = 10_000n

/** An order that rests: its update and the two postings that reserve for it and its fee. */
const outputOf = (seq: bigint, reason: string): EngineOutput => {
  const user = userId(1000n + ((seq * 7919n) % users))
  const reserved = 1_000_000n + (seq % 9973n) * 100n
  const fee = reserved / 1000n
  const posting = { user, deltaAvailable: amount(-reserved), deltaFrozen: amount(reserved), reason: 'Reserve' } as const
  return {
    time: startUs + seq * 10n,
    reference: null,
    orders: [
      {
        order: orderId(1_000_000n + seq),
        user,
        symbol: symbolId(1),
        side: seq % 2n === 0n ? 'Buy' : 'Sell',
        type: 'Limit',
        timeInForce: 'GoodTillCancel',
        price: price(6_500_000n + (seq % 1009n)),
        quantity: amount(reserved),
        filled: amount(0n),
        remaining: amount(reserved),
        state: 'New',
        reason,
      },
    ],
    trades: [],
    changes: [
      {
        ...posting,
        asset: assetId(2),
        available: amount(50_000_000_000n - reserved),
        frozen: amount(reserved),
        version: version(2n * seq),
        ref: 1_000_000n + seq,
      },
      {
        ...posting,
        deltaAvailable: amount(-fee),
        deltaFrozen: amount(fee),
        asset: assetId(1),
        available: amount(70_000_000_000n - fee),
        frozen: amount(fee),
        version: version(2n * seq + 1n),
        ref: 1_000_000n + seq,
      },
    ],
  }
}

const text = 'x'.repeat(payloadBytes)

/** The reason's text makes up the size; its length is a varint of its own. */
const payloadOf = (seq: bigint): Buffer => {
  const bare = encodeEngineOutput(outputOf(seq, text.slice(0, 100)))
  const payload = encodeEngineOutput(outputOf(seq, text.slice(0, 100 + payloadBytes - bare.length)))
  if (payload.length !== payloadBytes) throw new Error(`output ${seq} has ${payload.length} bytes, not ${payloadBytes}`)
  return payload
}
