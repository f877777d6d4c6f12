import type { DuckDBConnection } from '@duckdb/node-api'
import type { Database } from '../store/database.ts'
import { quoteText } from '../store/database.ts'

export type LabelState = 'PREPARE' | 'COMMITTED' | 'VISIBLE' | 'ABORTED'

interface Label {
  readonly txnId: number
  state: LabelState
  reason: string
}

export type Begun =
  | { readonly kind: 'begun'; readonly txnId: number }
  | { readonly kind: 'exists'; readonly existing: 'RUNNING' | 'FINISHED' }
  | { readonly kind: 'too many'; readonly running: number }

/**
 * The labels of all databases. A label belongs to one load; it can be used again only after that load was aborted,
 * or once it is evicted: by count per database, oldest first, whatever its age (label_keep_max_num).
 * Labels of committed loads are stored in the very transaction of their rows, so that a crash keeps both or neither.
 */
export class Labels {
  readonly #databases = new Map<string, Map<string, Label>>()
  readonly #keepMax: number
  readonly #maxRunning: number
  #lastTxnId = 1000

  constructor(options: { keepMax: number; maxRunning: number }) {
    this.#keepMax = options.keepMax
    this.#maxRunning = options.maxRunning
  }

  async load(database: Database): Promise<void> {
    await database.use(async connection => {
      await connection.run(
        'CREATE TABLE IF NOT EXISTS _stand_in.labels (db VARCHAR, label VARCHAR, txn_id BIGINT, state VARCHAR, reason VARCHAR)',
      )
      const result = await connection.runAndReadAll(
        'SELECT db, label, txn_id, state, reason FROM _stand_in.labels ORDER BY txn_id',
      )
      for (const [db, label, txnId, state, reason] of result.getRows()) {
        const labels = this.#of(String(db))
        labels.delete(String(label))
        labels.set(String(label), { txnId: Number(txnId), state: state as LabelState, reason: String(reason) })
        this.#lastTxnId = Math.max(this.#lastTxnId, Number(txnId))
        this.#evict(String(db))
      }
      // What was evicted while running is still in the table; a start is the moment to forget it there too.
      await connection.run('DELETE FROM _stand_in.labels')
      for (const [db, labels] of this.#databases) {
        for (const [label, entry] of labels) await this.store(connection, db, label, entry)
      }
    })
  }

  begin(db: string, label: string): Begun {
    const labels = this.#of(db)
    const existing = labels.get(label)
    if (existing && existing.state !== 'ABORTED') {
      return { kind: 'exists', existing: existing.state === 'PREPARE' ? 'RUNNING' : 'FINISHED' }
    }
    const running = [...labels.values()].filter(entry => entry.state === 'PREPARE').length
    if (running >= this.#maxRunning) return { kind: 'too many', running }
    labels.delete(label)
    this.#lastTxnId += 1
    labels.set(label, { txnId: this.#lastTxnId, state: 'PREPARE', reason: '' })
    return { kind: 'begun', txnId: this.#lastTxnId }
  }

  /** Sets the state of a load that is still known; call `store` inside its transaction to make it last. */
  settle(db: string, label: string, outcome: { state: LabelState; reason: string }): void {
    const entry = this.#of(db).get(label)
    if (!entry) return
    entry.state = outcome.state
    entry.reason = outcome.reason
    this.#evict(db)
  }

  async store(
    connection: DuckDBConnection,
    db: string,
    label: string,
    entry: { txnId: number; state: LabelState; reason: string },
  ): Promise<void> {
    const texts = [db, label].map(quoteText).join(', ')
    await connection.run(
      `INSERT INTO _stand_in.labels VALUES (${texts}, ${entry.txnId}, '${entry.state}', ${quoteText(entry.reason)})`,
    )
  }

  /** As an eviction does it: nobody can tell that the load ever was. */
  forget(db: string, label: string): void {
    this.#of(db).delete(label)
  }

  /** UNKNOWN: never seen, or evicted; nobody can tell which. */
  stateOf(db: string, label: string): { state: LabelState | 'UNKNOWN'; reason: string } {
    const entry = this.#of(db).get(label)
    return entry ? { state: entry.state, reason: entry.reason } : { state: 'UNKNOWN', reason: '' }
  }

  forgetDatabase(db: string): void {
    this.#databases.delete(db)
  }

  counts(): Record<string, number> {
    return Object.fromEntries([...this.#databases].map(([db, labels]) => [db, labels.size]))
  }

  #of(db: string): Map<string, Label> {
    let labels = this.#databases.get(db)
    if (!labels) this.#databases.set(db, (labels = new Map()))
    return labels
  }

  /** Only labels whose load is over are evicted; the map keeps them in the order of their begin. */
  #evict(db: string): void {
    const labels = this.#of(db)
    let excess = [...labels.values()].filter(entry => entry.state !== 'PREPARE').length - this.#keepMax
    for (const [label, entry] of labels) {
      if (excess <= 0) return
      if (entry.state === 'PREPARE') continue
      labels.delete(label)
      excess -= 1
    }
  }
}
