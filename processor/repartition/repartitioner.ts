import type { AssetFlow, LogRecord, ReferenceData, UserRecord } from '../../core/events.ts'
import { checkOutput } from '../../core/check-output.ts'
import { correctionFlow, mergeFlows, totalFlow } from '../../core/flow.ts'
import { type Pos, pos as asPos } from '../../core/ids.ts'
import { partitionOf } from '../../core/partition.ts'
import { extendReference } from '../../core/reference.ts'
import { splitOutput } from '../../core/split.ts'
import { checkKnown } from './check-known.ts'

/** A record for one partition of `user.outputs`. */
export type Placed = { readonly partition: number; readonly record: UserRecord }

/** Where `user.outputs` stands. */
export type RepartitionState = {
  /** n of the last record of each partition. */
  readonly ns: readonly bigint[]
  readonly barrier: { readonly pos: Pos; readonly src: bigint }
  readonly reference: ReferenceData | null
}

export type Refusal = { readonly kind: string; readonly message: string }

/**
 * From the log's records to those of `user.outputs`: pure, so that the same log gives the same records, barriers
 * apart. `note` counts a record that is written already, `take` makes the records of one that is not.
 */
export class Repartitioner {
  readonly #ns: bigint[]
  #barrier: { readonly pos: Pos; readonly src: bigint }
  #last: { readonly pos: Pos; readonly src: bigint }
  #reference: ReferenceData | null
  #flow: readonly AssetFlow[] = []
  #outputs = 0

  constructor({ ns, barrier, reference }: RepartitionState) {
    this.#ns = [...ns]
    this.#barrier = barrier
    this.#last = barrier
    this.#reference = reference
  }

  /** Engine outputs since the last barrier. */
  get outputsSinceBarrier(): number {
    return this.#outputs
  }

  /** True when the log has gone on since the last barrier: only then may there be another, at a higher pos. */
  get barrierPossible(): boolean {
    return this.#last.pos > this.#barrier.pos
  }

  /** What must hold before a record may be taken; an operator's Admit lifts it. */
  refusal(record: LogRecord): Refusal | null {
    switch (record.kind) {
      case 'Output':
        return checkOutput(record.output) ?? checkKnown(record.output, this.#reference)
      case 'Reference': {
        const next = record.output.reference
        if (!next) return { kind: 'reference-missing', message: 'a Reference record without reference data' }
        const extended = extendReference(this.#reference, next)
        return extended.kind === 'refused' ? extended.refusal : null
      }
      case 'Session':
      case 'Tick':
      case 'Gap':
      case 'Correction':
      case 'Admit':
      case 'Redrive':
      case 'Refused':
      case 'Note':
        return null
    }
  }

  /** Counts a record that stands in `user.outputs` already: its flow belongs to the next barrier. */
  note(src: bigint, record: LogRecord): void {
    this.#last = { pos: record.pos, src }
    if (record.kind === 'Output') {
      // The same as its external flow, unless it was admitted though it does not add up.
      this.#outputs++
      const flow = totalFlow(record.output)
      // Nearly every output moves money between users alone.
      if (flow.length > 0) this.#flow = mergeFlows(this.#flow, flow)
    }
    if (record.kind === 'Correction') this.#flow = mergeFlows(this.#flow, correctionFlow(record.correction))
    if (record.kind === 'Reference' && record.output.reference) this.#reference = record.output.reference
  }

  /** The records that one log record becomes; all of them belong in one transaction. */
  take(src: bigint, record: LogRecord): readonly Placed[] {
    const placed = this.#place(src, record)
    this.note(src, record)
    return placed
  }

  #place(src: bigint, record: LogRecord): readonly Placed[] {
    const { pos } = record
    switch (record.kind) {
      case 'Output': {
        const { time } = record.output
        return splitOutput(record.output).map(share => {
          const partition = this.#partitionOf(share.user)
          return { partition, record: { kind: 'UserOutput', n: this.#number(partition), src, pos, time, ...share } }
        })
      }
      case 'Reference': {
        const { time, reference } = record.output
        if (!reference) return []
        return this.#ns.map((_, partition) => ({
          partition,
          record: { kind: 'UserReference', n: this.#number(partition), src, pos, time, reference },
        }))
      }
      case 'Correction': {
        const { command, correction } = record
        const partition = this.#partitionOf(correction.user)
        const n = this.#number(partition)
        return [{ partition, record: { kind: 'UserCorrection', n, src, pos, command, correction } }]
      }
      case 'Redrive': {
        const { command, user } = record
        const partition = this.#partitionOf(user)
        return [{ partition, record: { kind: 'UserRedrive', n: this.#number(partition), src, pos, command, user } }]
      }
      case 'Session':
      case 'Tick':
      case 'Gap':
      case 'Admit':
      case 'Refused':
      case 'Note':
        return []
    }
  }

  /** A barrier behind everything taken so far, one record for each partition. */
  barrier(): readonly Placed[] {
    const { pos, src } = this.#last
    const ns = this.#ns.map((_, partition) => this.#number(partition))
    const records = ns.map((n, partition): Placed => {
      const record = { kind: 'Barrier', n, src, pos, previous: this.#barrier.pos, ns, flow: this.#flow } as const
      return { partition, record }
    })
    this.#barrier = this.#last
    this.#flow = []
    this.#outputs = 0
    return records
  }

  #partitionOf(user: Parameters<typeof partitionOf>[0]): number {
    return partitionOf(user, this.#ns.length)
  }

  #number(partition: number): bigint {
    const n = (this.#ns[partition] ?? 0n) + 1n
    this.#ns[partition] = n
    return n
  }
}

/** Before the first record of all. */
export const emptyState = (partitions: number): RepartitionState => ({
  ns: Array.from({ length: partitions }, () => 0n),
  barrier: { pos: asPos(0n), src: -1n },
  reference: null,
})
