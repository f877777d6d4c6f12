import { type CqlMigration, cqlMigrations } from '../../schemas/cql/migrations.ts'
import { refuse } from '../stop.ts'
import type { CqlPort } from './port.ts'
import { checkStore, otherOwner, readStreamMeta, storedShape, streamMetaTable, writeStreamMeta } from './stream-meta.ts'
import { isMade, shapeOf } from './table-shape.ts'

export type MigrateOptions = {
  /** Connects; without a keyspace to create it, then with it. Each connection is closed here. */
  readonly open: (options: { readonly keyspace?: string }) => Promise<CqlPort>
  readonly keyspace: string
  readonly stream: string
  readonly partitions: number
  readonly datacenter: string
  readonly replicationFactor: number
  /** In order; those of this program unless a test has one more. */
  readonly migrations?: readonly CqlMigration[]
}

export type MigrateResult = {
  /** Files applied now; empty when the keyspace had them all. */
  readonly applied: readonly string[]
}

/**
 * Makes the keyspace and brings its tables forward to this version. Running it again changes nothing; one that was cut
 * off goes on. Not for two at once.
 * @throws Stop when the keyspace is another stream's, has another P, a newer schema, or columns that do not belong there
 */
export const migrateStore = async (options: MigrateOptions): Promise<MigrateResult> => {
  const { open, keyspace, stream, partitions, datacenter, replicationFactor, migrations = cqlMigrations } = options
  const newest = migrations.at(-1)?.version ?? 0
  const outside = await open({})
  try {
    await outside.define(
      `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = ` +
        `{'class': 'NetworkTopologyStrategy', '${datacenter}': ${replicationFactor}} AND durable_writes = true`,
    )
  } finally {
    await outside.close()
  }
  const cql = await open({ keyspace })
  try {
    await cql.define(streamMetaTable)
    const meta = await readStreamMeta(cql)
    const foreign = meta && otherOwner(meta, { keyspace, stream, partitions })
    if (foreign) throw foreign
    const had = meta?.schemaVersion ?? 0
    if (had > newest)
      throw refuse(
        'schema-version',
        `keyspace ${keyspace} has schema version ${had}, this program knows ${newest}; run a newer version of it`,
      )
    const due = migrations.filter(each => each.version > had)
    // Whose it is comes first: an init of another stream that meets a half-made keyspace must see it.
    await writeStreamMeta(cql, { stream, partitions, schemaVersion: had })
    for (const { statements, version } of due) {
      // What a run that was cut off has made can't always be made again: a column is added once.
      const made = await storedShape(cql, keyspace)
      const missing = statements.filter(each => !isMade(shapeOf([each]), made))
      for (const statement of missing) await cql.define(statement)
      await writeStreamMeta(cql, { stream, partitions, schemaVersion: version })
    }
    await checkStore(cql, { keyspace, stream, partitions }, migrations)
    return { applied: due.map(each => each.file) }
  } finally {
    await cql.close()
  }
}
