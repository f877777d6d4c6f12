import type { Pos } from '../../core/ids.ts'
import type { CommittedOffset } from '../kafka/port.ts'

/**
 * How far a reader has come: `offset` is the next to read, `n` and `pos` are those of the last record before it
 * (0 and 0 at the very start). `note` is a reader's own word, such as the archive's hash; without spaces.
 */
export type Progress = { readonly offset: bigint; readonly n: bigint; readonly pos: Pos; readonly note?: string }

/** Kafka keeps the progress: the offset as offset, the rest as its metadata. */
export const toCommitted = ({ offset, n, pos, note }: Progress): CommittedOffset => ({
  offset,
  metadata: `n=${n} pos=${pos}${note === undefined ? '' : ` note=${note}`}`,
})

/** Null when the metadata is not of this form: somebody else committed it. */
export const fromCommitted = ({ offset, metadata }: CommittedOffset): Progress | null => {
  const match = /^n=(\d+) pos=(\d+)(?: note=(\S+))?$/.exec(metadata)
  if (!match) return null
  const [, n, position, note] = match as unknown as [string, string, string, string | undefined]
  return { offset, n: BigInt(n), pos: BigInt(position) as Pos, ...(note === undefined ? {} : { note }) }
}
