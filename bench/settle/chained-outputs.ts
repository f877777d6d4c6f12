import type { EngineOutput, Session } from '../../core/events.ts'
import { nextChain, zeroChain } from '../../schemas/chain.ts'
import { encodeEngineOutput } from '../../schemas/codec.ts'
import type { MadeOutput, OutputSource } from '../fed-engine/fed-engine.ts'

/** Outputs of one life of the benchmark's engine, numbered and chained, taken from whatever makes them now. */
export class ChainedOutputs implements OutputSource {
  readonly session: Session = { epoch: 1n, random: 0x5e771eb37c4n }
  /** What comes next. */
  from: Iterator<EngineOutput> = [][Symbol.iterator]()
  #chain: Buffer = zeroChain
  #seq = 0n

  /** @throws Error when there are not so many */
  make(count: number): readonly MadeOutput[] {
    return Array.from({ length: count }, () => {
      const { value } = this.from.next() as { value: EngineOutput | undefined }
      if (!value) throw new Error(`there are fewer than ${count} outputs left to make`)
      return this.chain(value)
    })
  }

  chain(output: EngineOutput): MadeOutput {
    const payload = encodeEngineOutput(output)
    this.#chain = nextChain(this.#chain, payload)
    this.#seq++
    return { seq: this.#seq, chain: this.#chain, payload }
  }
}
