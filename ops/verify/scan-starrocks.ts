import type { Pos } from '../../core/ids.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import type { RowShape } from './row-shape.ts'
import type { RowSink } from './row-sets.ts'
import { foundRow, starrocksRows, starrocksStates } from './starrocks-shapes.ts'
import type { States } from './states.ts'

const select = ({ columns, table }: RowShape): string =>
  `SELECT ${columns.map(column => `\`${column}\``).join(', ')} FROM ${table}`

/** Rows of the tables that never change, up to the barrier. */
export const scanStarRocksRows = async (options: {
  readonly sql: SqlPort
  readonly barrier: Pos
  readonly sink: RowSink
  readonly wants: (shape: RowShape) => boolean
}): Promise<void> => {
  const { sql, barrier, sink, wants } = options
  for (const shape of Object.values(starrocksRows).filter(wants))
    for await (const row of sql.stream(`${select(shape)} WHERE pos <= ${barrier}`))
      sink.found(shape, foundRow(shape, row))
}

/** Rows of the tables that change, as they are now. */
export const scanStarRocksStates = async (sql: SqlPort, states: States): Promise<void> => {
  for (const name of Object.keys(starrocksStates) as (keyof typeof starrocksStates)[]) {
    const table = states.starrocks[name]
    // Whose the database is stands in the same table, at pos 0, and has been checked.
    const where = name === 'streamMeta' ? ' WHERE pos > 0' : ''
    for await (const row of sql.stream(`${select(table.shape)}${where}`))
      table.found(foundRow(table.shape, row), BigInt(row['pos'] ?? 0) as Pos)
  }
}
