import type { EngineOutput } from '../../core/events.ts'
import { type Pos, pos } from '../../core/ids.ts'
import { logOutputBytes, stampLogOutput, writeLogOutput } from '../../schemas/codec.ts'
import { ChainedOutputs } from './chained-outputs.ts'

/** Turns outputs into records of `engine.outputs`, chained and stamped as the bridge would have written them. */
export class LogMaker {
  readonly #outputs = new ChainedOutputs()
  readonly #nowUs: () => bigint
  #pos: Pos = pos(0n)

  constructor(nowUs: () => bigint = () => BigInt(Date.now()) * 1000n) {
    this.#nowUs = nowUs
  }

  /** The pos of the next record: now, or just after the last one. */
  nextPos(): Pos {
    const nowUs = this.#nowUs()
    this.#pos = pos(nowUs > this.#pos ? nowUs : this.#pos + 1n)
    return this.#pos
  }

  /** The record of an output at the pos asked for last. */
  make(output: EngineOutput): { readonly pos: Pos; readonly value: Buffer } {
    const { seq, chain, payload } = this.#outputs.chain(output)
    const record = Buffer.alloc(logOutputBytes(payload))
    const at = { ...this.#outputs.session, seq, chain }
    writeLogOutput(output.reference ? 'Reference' : 'Output', { at, payload }, record)
    return { pos: this.#pos, value: stampLogOutput(record, this.#pos) }
  }
}
