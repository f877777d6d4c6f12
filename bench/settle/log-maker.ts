import type { EngineOutput, Session } from '../../core/events.ts'
import { type Pos, pos } from '../../core/ids.ts'
import { nextChain, zeroChain } from '../../schemas/chain.ts'
import { encodeEngineOutput, logOutputBytes, stampLogOutput, writeLogOutput } from '../../schemas/codec.ts'

/** One life of the benchmark's engine; a run has one. */
export const session: Session = { epoch: 1n, random: 0x5e771eb37c4n }

/** Turns outputs into records of `engine.outputs`, chained and stamped as the bridge would have written them. */
export class LogMaker {
  #chain: Buffer = zeroChain
  #seq = 0n
  #pos: Pos = pos(0n)

  /** The pos of the next record: now, or just after the last one. */
  nextPos(): Pos {
    const nowUs = BigInt(Date.now()) * 1000n
    this.#pos = pos(nowUs > this.#pos ? nowUs : this.#pos + 1n)
    return this.#pos
  }

  /** The record of an output at the pos asked for last. */
  make(output: EngineOutput): { readonly pos: Pos; readonly value: Buffer } {
    const payload = encodeEngineOutput(output)
    this.#chain = nextChain(this.#chain, payload)
    this.#seq++
    const record = Buffer.alloc(logOutputBytes(payload))
    const at = { ...session, seq: this.#seq, chain: this.#chain }
    writeLogOutput(output.reference ? 'Reference' : 'Output', { at, payload }, record)
    return { pos: this.#pos, value: stampLogOutput(record, this.#pos) }
  }
}
