import type { LogRecord, UserRecord } from '../../core/events.ts'
import type { UserTable } from '../../schemas/archive/archive-tables.ts'
import { outputRow, outputsTable } from '../../schemas/archive/outputs-table.ts'
import { userRows, userTables } from '../../schemas/archive/user-tables.ts'
import { logNumbering, userNumbering } from '../../runtime/reader/numbering.ts'
import type { ArchiveSource } from './partition-archive.ts'

/** `user.outputs`: trades, orders, ledger and reference data, typed. */
export const userSource: ArchiveSource<UserRecord> = {
  place: userNumbering.place,
  rows: ({ record }, partition) =>
    userRows(record, partition).map(([table, cells]) => ({ table, pos: record.pos, cells })),
  columns: table => userTables[table as UserTable].columns,
}

/** `engine.outputs`: every record verbatim. */
export const logSource: ArchiveSource<LogRecord> = {
  place: logNumbering.place,
  rows: ({ record, value }) => [
    { table: 'outputs', pos: record.pos, cells: outputsTable.toCells(outputRow(record, value)) },
  ],
  columns: () => outputsTable.columns,
}
