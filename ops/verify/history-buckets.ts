import { pos as asPos } from '../../core/ids.ts'
import { type BucketRules, bucketRules, countedItems } from '../../schemas/cql/placement.ts'
import type { Row } from './row-shape.ts'
import { rowOf, scyllaStates } from './scylla-shapes.ts'

type Bucket = { readonly bucket: bigint; items: number; pos: bigint }

/** Into which bucket of its user's history each record of the log goes, and how far each bucket is counted. */
export class HistoryBuckets {
  readonly #rules: BucketRules
  /** Each user's buckets, the oldest first. */
  readonly #users = new Map<bigint, Bucket[]>()
  #touched: Row[] = []

  constructor(rules: BucketRules = bucketRules) {
    this.#rules = rules
  }

  /** The bucket of a user's next record. */
  take(user: bigint, pos: bigint, items: number): bigint {
    let mine = this.#users.get(user)
    if (!mine) this.#users.set(user, (mine = []))
    const weight = countedItems(asPos(pos), items, this.#rules)
    let last = mine.at(-1)
    if (!last || (weight > 0 && last.items >= this.#rules.items))
      mine.push((last = { bucket: pos, items: weight, pos }))
    else if (weight > 0) {
      last.items += weight
      last.pos = pos
    } else return last.bucket
    this.#touched.push(indexRow(user, last))
    return last.bucket
  }

  /** The next record begins. */
  forgetTouched(): void {
    this.#touched = []
  }

  /** Rows of the index that the record in hand changed. */
  get touched(): readonly Row[] {
    return this.#touched
  }

  *rows(): Iterable<Row> {
    for (const [user, mine] of this.#users) for (const each of mine) yield indexRow(user, each)
  }
}

const indexRow = (user: bigint, { bucket, items, pos }: Bucket): Row =>
  rowOf(scyllaStates.historyBuckets, { user_id: user, bucket, items, pos })
