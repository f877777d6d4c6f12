import type { EngineOutput } from '../../../core/events.ts'
import { emptyState, Repartitioner } from '../../../processor/repartition/repartitioner.ts'
import type { CqlStatement } from '../../../runtime/cql/port.ts'
import { decodeLogRecord, encodeUserRecord } from '../../../schemas/codec.ts'
import { exchangeSize } from '../exchange.ts'
import { FoldAlone } from '../../../processor/settle/testing/fold-alone.ts'
import { LogMaker } from '../log-maker.ts'

type Groups = readonly (readonly CqlStatement[])[]

/** A record of a partition of `user.outputs`, with the rows that it becomes. */
export type Share = {
  readonly partition: number
  readonly value: Buffer
  readonly history: Groups
  readonly cells: Groups
}

/** Everything that one output becomes on its way to the store. */
export type Step = { readonly value: Buffer; readonly timestampMs: bigint; readonly shares: readonly Share[] }

/** Makes beforehand what the services would make of each output, so that a bare chain only moves it. */
export class StepMaker {
  readonly #log = new LogMaker()
  readonly #repartitioner = new Repartitioner(emptyState(exchangeSize.partitions))
  readonly #folds = Array.from({ length: exchangeSize.partitions }, (_, partition) => new FoldAlone({ partition }))
  #src = 0n

  make(output: EngineOutput): Step {
    const timestampMs = this.#log.nextPos() / 1000n
    const { value } = this.#log.make(output)
    const placed = this.#repartitioner.take(this.#src++, decodeLogRecord(value))
    const shares = placed.map(({ partition, record }): Share => {
      const fold = this.#folds[partition]
      if (!fold) throw new Error(`there is no partition ${partition}`)
      const { history, cells } = fold.take([record])
      return { partition, value: encodeUserRecord(record), history, cells }
    })
    return { value, timestampMs, shares }
  }
}
