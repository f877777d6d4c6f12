import type { DuckDBConnection } from '@duckdb/node-api'
import { type Catalog, qualified } from '../store/catalog.ts'
import { type Database, quoteText } from '../store/database.ts'
import type { Labels } from './labels.ts'
import { mergeStatement } from './merge.ts'

/** Name of the column that keeps the order of a load's rows. */
export const ordinal = '__row'

/** A load that is committed: what its publication needs. */
export interface CommittedLoad {
  readonly txnId: number
  readonly database: string
  readonly table: string
  readonly label: string
  readonly mergeCondition: string | undefined
}

const stored = (txnId: number): string => `_stand_in.unpublished_${txnId}`

/**
 * Loads between their commit and the moment their rows can be seen. Their rows are stored beside the tables, in one
 * transaction with the label, so that a stand-in that was killed publishes them when it starts again.
 */
export class Unpublished {
  readonly #database: Database
  readonly #catalog: Catalog
  readonly #labels: Labels

  constructor(parts: { database: Database; catalog: Catalog; labels: Labels }) {
    this.#database = parts.database
    this.#catalog = parts.catalog
    this.#labels = parts.labels
  }

  /** Publishes what a former life of the process left. */
  async recover(): Promise<void> {
    await this.#database.use(async connection => {
      await connection.run(
        'CREATE TABLE IF NOT EXISTS _stand_in.unpublished (txn_id BIGINT, db VARCHAR, tbl VARCHAR, label VARCHAR, condition VARCHAR)',
      )
      const left = await connection.runAndReadAll(
        'SELECT txn_id, db, tbl, label, condition FROM _stand_in.unpublished ORDER BY txn_id',
      )
      for (const [txnId, db, table, label, condition] of left.getRows()) {
        const mergeCondition = condition === null ? undefined : String(condition)
        const load = { txnId: Number(txnId), database: String(db), table: String(table), label: String(label) }
        await this.publish(connection, { ...load, mergeCondition })
      }
    })
  }

  /** Makes the rows of `staging` durable, and their label COMMITTED. */
  async keep(connection: DuckDBConnection, load: CommittedLoad, staging: string): Promise<void> {
    const texts = [load.database, load.table, load.label].map(quoteText).join(', ')
    const condition = load.mergeCondition === undefined ? 'NULL' : quoteText(load.mergeCondition)
    await this.#database.transaction(connection, async () => {
      await connection.run(`CREATE TABLE ${stored(load.txnId)} AS SELECT * FROM ${staging}`)
      await connection.run(`INSERT INTO _stand_in.unpublished VALUES (${load.txnId}, ${texts}, ${condition})`)
      const entry = { txnId: load.txnId, state: 'COMMITTED' as const, reason: '' }
      await this.#labels.store(connection, load.database, load.label, entry)
    })
    this.#labels.settle(load.database, load.label, { state: 'COMMITTED', reason: '' })
  }

  /** Shows the rows that were kept; the table's lock must be held. */
  async publish(connection: DuckDBConnection, load: CommittedLoad): Promise<void> {
    // A table that was dropped meanwhile takes its rows with it.
    const relation = this.#catalog.hasDatabase(load.database)
      ? this.#catalog.relations(load.database).get(load.table)
      : undefined
    await this.#database.transaction(connection, async () => {
      if (relation?.kind === 'table') {
        const target = qualified(load.database, load.table)
        const { mergeCondition } = load
        const staging = stored(load.txnId)
        await connection.run(mergeStatement({ target, staging, ordinal, table: relation.definition, mergeCondition }))
      }
      await connection.run(`DROP TABLE ${stored(load.txnId)}`)
      await connection.run(`DELETE FROM _stand_in.unpublished WHERE txn_id = ${load.txnId}`)
      await connection.run(`DELETE FROM _stand_in.labels WHERE txn_id = ${load.txnId}`)
      const entry = { txnId: load.txnId, state: 'VISIBLE' as const, reason: '' }
      await this.#labels.store(connection, load.database, load.label, entry)
    })
    this.#catalog.touch()
    this.#labels.settle(load.database, load.label, { state: 'VISIBLE', reason: '' })
  }
}
