import type { TableName } from '../../schemas/starrocks/tables.ts'

/** A body of one Stream Load as a file. */
export type PreparedFile = {
  readonly path: string
  readonly table: TableName
  readonly rows: number
  readonly bytes: number
  readonly form: 'plain' | 'enclosed'
}
