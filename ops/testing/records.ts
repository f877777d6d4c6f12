import { pos } from '../../core/ids.ts'
import { encodeUserRecord } from '../../schemas/codec.ts'

/** A barrier as it stands in the topic. */
export const barrierBytes = (options: {
  readonly n: bigint
  readonly pos: bigint
  readonly partitions: number
}): Buffer =>
  encodeUserRecord({
    kind: 'Barrier',
    n: options.n,
    src: 0n,
    pos: pos(options.pos),
    previous: pos(0n),
    ns: Array.from({ length: options.partitions }, () => options.n),
    flow: [],
  })
