import { type CqlMigration, cqlMigrations } from '../../schemas/cql/migrations.ts'
import { refuse, type Stop } from '../stop.ts'
import type { CqlPort, CqlValue } from './port.ts'
import { shapeOf, shapeOfStore, shapeProblems, type TableShape } from './table-shape.ts'

/** Whose keyspace it is; written once by `settle init`. */
export type StreamMeta = { readonly stream: string; readonly partitions: number; readonly schemaVersion: number }

export const streamMetaTable = 'CREATE TABLE IF NOT EXISTS stream_meta ( name text, value text, PRIMARY KEY (name) )'

/** Null when nothing is written there: the keyspace is new, or an `init` was cut off. */
export const readStreamMeta = async (cql: CqlPort): Promise<StreamMeta | null> => {
  const rows = await cql.query('SELECT name, value FROM stream_meta')
  const values = new Map(rows.map(row => [row['name'] as string, row['value'] as string]))
  const [stream, partitions] = [values.get('stream'), values.get('partitions')]
  if (stream === undefined || partitions === undefined) return null
  return { stream, partitions: Number(partitions), schemaVersion: Number(values.get('schema') ?? '0') }
}

/** Stamped like all rows: what never changes at 1, the schema's version at itself, so that the highest stays. */
export const writeStreamMeta = async (
  cql: CqlPort,
  { stream, partitions, schemaVersion }: StreamMeta,
): Promise<void> => {
  const insert = 'INSERT INTO stream_meta (name, value) VALUES (?, ?) USING TIMESTAMP ?'
  await cql.write([{ cql: insert, params: ['stream', stream, 1n] }])
  await cql.write([{ cql: insert, params: ['partitions', String(partitions), 1n] }])
  await cql.write([{ cql: insert, params: ['schema', String(schemaVersion), BigInt(schemaVersion)] }])
}

type Whose = { readonly keyspace: string; readonly stream: string; readonly partitions: number }

/** A Stop when the keyspace belongs to another stream or another number of partitions; else null. */
export const otherOwner = (meta: StreamMeta, { keyspace, stream, partitions }: Whose): Stop | null => {
  if (meta.stream !== stream)
    return refuse(
      'keyspace-other-stream',
      `keyspace ${keyspace} belongs to stream ${meta.stream}, STREAM says ${stream}; choose another STREAM or keyspace`,
    )
  if (meta.partitions !== partitions)
    return refuse(
      'keyspace-other-partitions',
      `keyspace ${keyspace} was made for ${meta.partitions} partitions, PARTITIONS says ${partitions}; set PARTITIONS=${meta.partitions}, or rebuild into a new keyspace`,
    )
  return null
}

/**
 * Checks that the connected keyspace is this stream's and has the columns that this version of the code writes.
 * @throws Stop `keyspace-not-initialised`, `keyspace-other-stream`, `keyspace-other-partitions`, `schema-version`,
 * `schema-drift`
 */
export const checkStore = async (
  cql: CqlPort,
  whose: Whose,
  migrations: readonly CqlMigration[] = cqlMigrations,
): Promise<void> => {
  const newest = migrations.at(-1)?.version ?? 0
  const { keyspace } = whose
  const found = await storedShape(cql, keyspace)
  const meta = found.has('stream_meta.value') ? await readStreamMeta(cql) : null
  if (!meta)
    throw refuse('keyspace-not-initialised', `keyspace ${keyspace} has no stream_meta of ours; run: settle init`)
  const foreign = otherOwner(meta, whose)
  if (foreign) throw foreign
  if (meta.schemaVersion !== newest)
    throw refuse(
      'schema-version',
      `keyspace ${keyspace} has schema version ${meta.schemaVersion}, this program needs ${newest}; ${
        meta.schemaVersion < newest ? 'run: settle init' : 'run a newer version of it'
      }`,
    )
  const expected = shapeOf([streamMetaTable, ...migrations.flatMap(each => each.statements)])
  const problems = shapeProblems(expected, found)
  if (problems.length > 0)
    throw refuse(
      'schema-drift',
      `keyspace ${keyspace} has other columns than this program writes: ${problems.slice(0, 10).join('; ')}${
        problems.length > 10 ? ` and ${problems.length - 10} more` : ''
      }; restore them, or rebuild into a new keyspace`,
      { problems },
    )
}

/** What the keyspace has. */
export const storedShape = async (cql: CqlPort, keyspace: string): Promise<TableShape> => {
  const columns = await cql.query(
    'SELECT table_name, column_name, kind, position, type FROM system_schema.columns WHERE keyspace_name = ?',
    [keyspace],
  )
  const types = await cql.query(
    'SELECT type_name, field_names, field_types FROM system_schema.types WHERE keyspace_name = ?',
    [keyspace],
  )
  return shapeOfStore(
    columns.map(row => ({
      table: text(row['table_name']),
      column: text(row['column_name']),
      kind: text(row['kind']),
      position: row['position'] as number,
      type: text(row['type']),
    })),
    types.map(row => ({
      name: text(row['type_name']),
      fields: (row['field_names'] ?? []) as string[],
      types: (row['field_types'] ?? []) as string[],
    })),
  )
}

const text = (value: CqlValue | undefined): string => value as string
