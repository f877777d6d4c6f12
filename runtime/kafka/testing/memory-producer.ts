import type { Clock } from '../../clock.ts'
import { type CommittedOffset, KafkaFailure, type KafkaRecord } from '../port.ts'
import type { MemoryLog } from './memory-log.ts'

type PendingOffset = { readonly commit: () => void }

type Transaction = {
  readonly key: object
  readonly sinceMs: number
  readonly logs: Set<MemoryLog>
  readonly offsets: PendingOffset[]
}

export type MemoryProducerOptions = {
  readonly id: string
  readonly clock: Clock
  readonly timeoutMs: number
  /** How long after the decision a marker lands in one partition. */
  readonly markerDelayMs: () => number
}

/** What the transaction coordinator knows of one transactional id. */
export class MemoryProducer {
  readonly #options: MemoryProducerOptions
  #epoch = -1
  #transaction: Transaction | null = null
  /** Until the markers of the last transaction are everywhere the next may not begin. */
  #completing: Promise<void> = Promise.resolve()

  constructor(options: MemoryProducerOptions) {
    this.#options = options
  }

  /** Fences every earlier epoch, ends what it left open, and resolves when no trace of it can come any more. */
  async init(): Promise<number> {
    const epoch = ++this.#epoch
    if (this.#transaction) this.#end(this.#transaction, 'aborted')
    await this.#completing
    return epoch
  }

  /** Whether a transaction has begun that nobody has ended. */
  get isOpen(): boolean {
    return this.#transaction !== null
  }

  async begin(epoch: number): Promise<void> {
    this.#check(epoch)
    await this.#completing
    this.#check(epoch)
    const sinceMs = this.#options.clock.monotonicMs()
    this.#transaction ??= { key: {}, sinceMs, logs: new Set(), offsets: [] }
  }

  write(epoch: number, log: MemoryLog, records: readonly Omit<KafkaRecord, 'offset'>[]): void {
    const transaction = this.#current(epoch)
    transaction.logs.add(log)
    log.append(records, transaction.key)
  }

  /** A group's offset, which counts from the commit on. Generations are not asked for. */
  addOffset(epoch: number, offsets: Map<number, CommittedOffset>, partition: number, offset: CommittedOffset): void {
    this.#current(epoch).offsets.push({ commit: () => void offsets.set(partition, offset) })
  }

  /** Durable when it returns; readers see it when the markers have landed. */
  commit(epoch: number): void {
    this.#end(this.#current(epoch), 'committed')
  }

  abort(epoch: number): void {
    this.#end(this.#current(epoch), 'aborted')
  }

  /** A transaction that nobody ends is aborted, and its writer fenced. */
  expire(): void {
    const { clock, timeoutMs } = this.#options
    if (!this.#transaction || clock.monotonicMs() - this.#transaction.sinceMs < timeoutMs) return
    this.#epoch++
    this.#end(this.#transaction, 'aborted')
  }

  #check(epoch: number): void {
    if (epoch !== this.#epoch)
      throw new KafkaFailure('fenced', `${this.#options.id}: epoch ${epoch} was fenced by ${this.#epoch}`)
  }

  #current(epoch: number): Transaction {
    this.#check(epoch)
    if (!this.#transaction) throw new KafkaFailure('unknown', `${this.#options.id} has no transaction`)
    return this.#transaction
  }

  #end({ key, logs, offsets }: Transaction, outcome: 'committed' | 'aborted'): void {
    this.#transaction = null
    const landings = [...logs].map(log => this.#land(() => log.end(key, outcome)))
    if (outcome === 'committed') landings.push(...offsets.map(({ commit }) => this.#land(commit)))
    this.#completing = Promise.all(landings).then(() => {})
  }

  async #land(effect: () => void): Promise<void> {
    const ms = this.#options.markerDelayMs()
    if (ms > 0) await this.#options.clock.sleep(ms)
    effect()
  }
}
