import { KafkaFailure, type KafkaRecord, type PartitionBounds } from '../port.ts'

/** Who wrote: one transaction, by identity. */
export type TransactionKey = object

type Outcome = 'open' | 'committed' | 'aborted'

/** A transaction's part in one partition; its marker may land here earlier or later than elsewhere. */
type Part = { readonly first: bigint; outcome: Outcome }

type Entry = { readonly kind: 'data'; readonly record: KafkaRecord; readonly part: Part } | { readonly kind: 'control' }

const settled: Part = { first: 0n, outcome: 'committed' }

/** One partition as a broker keeps it: data and control records at dense offsets, of which readers see the committed. */
export class MemoryLog {
  readonly #name: string
  #entries: Entry[] = []
  #low = 0n
  readonly #open = new Map<TransactionKey, Part>()
  #change = Promise.withResolvers<void>()

  constructor(name: string) {
    this.#name = name
  }

  /** The offset after the last record, whatever it is. */
  get high(): bigint {
    return this.#low + BigInt(this.#entries.length)
  }

  /** What readers of committed data may see: up to the first record of the oldest open transaction. */
  get bounds(): PartitionBounds {
    let end = this.high
    for (const { first } of this.#open.values()) if (first < end) end = first
    return { low: this.#low, end }
  }

  /** Resolves when readers may see more. */
  get changed(): Promise<void> {
    return this.#change.promise
  }

  /** Appends; without a transaction it is committed at once. */
  append(records: readonly Omit<KafkaRecord, 'offset'>[], by: TransactionKey | null): void {
    const part = by === null ? settled : this.join(by)
    for (const record of records) this.#entries.push({ kind: 'data', part, record: { ...record, offset: this.high } })
    if (by === null) this.#tell()
  }

  /** A transaction takes part, though it may yet write nothing here. */
  join(by: TransactionKey): Part {
    const part = this.#open.get(by) ?? { first: this.high, outcome: 'open' }
    this.#open.set(by, part)
    return part
  }

  /** The marker of a transaction: a control record, which takes an offset too. */
  end(by: TransactionKey, outcome: 'committed' | 'aborted'): void {
    const part = this.#open.get(by)
    if (!part) return
    part.outcome = outcome
    this.#open.delete(by)
    this.mark()
  }

  /** A control record of some transaction that nobody here knows. */
  mark(): void {
    this.#entries.push({ kind: 'control' })
    this.#tell()
  }

  /** Forgets what is before an offset, as retention does. */
  trim(before: bigint): void {
    this.#entries = this.#entries.slice(Number(before - this.#low))
    this.#low = before
  }

  /** Committed records at and after an offset, with the offset to ask for next. @throws KafkaFailure `out-of-range` */
  read({
    offset,
    maxCount,
    maxBytes,
  }: {
    readonly offset: bigint
    readonly maxCount: number
    readonly maxBytes: number
  }): { readonly records: readonly KafkaRecord[]; readonly next: bigint } {
    if (offset < this.#low || offset > this.high)
      throw new KafkaFailure('out-of-range', `${this.#name}: offset ${offset} is not in ${this.#low} to ${this.high}`)
    const { end } = this.bounds
    const records: KafkaRecord[] = []
    let bytes = 0
    let next = offset
    for (; next < end && records.length < maxCount && bytes < maxBytes; next++) {
      const entry = this.#entries[Number(next - this.#low)] as Entry
      if (entry.kind === 'control' || entry.part.outcome !== 'committed') continue
      records.push(entry.record)
      bytes += entry.record.value.length
    }
    return { records, next }
  }

  /** The last committed records before an offset, in order. */
  tail(count: number, before: bigint): readonly KafkaRecord[] {
    const { end } = this.bounds
    const found: KafkaRecord[] = []
    for (let at = (before < end ? before : end) - 1n; at >= this.#low && found.length < count; at--) {
      const entry = this.#entries[Number(at - this.#low)] as Entry
      if (entry.kind === 'data' && entry.part.outcome === 'committed') found.unshift(entry.record)
    }
    return found
  }

  #tell(): void {
    this.#change.resolve()
    this.#change = Promise.withResolvers()
  }
}
