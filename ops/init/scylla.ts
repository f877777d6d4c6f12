import type { CqlPort } from '../../runtime/cql/port.ts'
import { migrateStore } from '../../runtime/cql/migrate.ts'
import { checkStore, otherOwner, readStreamMeta } from '../../runtime/cql/stream-meta.ts'
import { Stop } from '../../runtime/stop.ts'
import { cqlSchemaVersion } from '../../schemas/cql/migrations.ts'
import { type Finding, missing, present, refused } from './finding.ts'

export type ScyllaTarget = {
  readonly open: (options: { readonly keyspace?: string }) => Promise<CqlPort>
  readonly keyspace: string
  readonly stream: string
  readonly partitions: number
  readonly datacenter: string
  readonly replicationFactor: number
}

/** Compares the keyspace and its tables with what the stream needs. */
export const inspectScylla = async (target: ScyllaTarget): Promise<readonly Finding[]> => {
  const { open, keyspace } = target
  const make = async (): Promise<void> => void (await migrateStore(target))
  const tables = await tablesOf(open, keyspace)
  if (tables === null) return [missing(`keyspace ${keyspace} and its tables`, make)]
  if (tables.length === 0) return [missing(`tables of keyspace ${keyspace}`, make)]
  if (!tables.includes('stream_meta'))
    return [
      refused(
        `keyspace ${keyspace} has tables (${tables.slice(0, 5).join(', ')}) and no stream_meta: it is not a stream's; choose another STREAM`,
      ),
    ]
  const inside = await open({ keyspace })
  try {
    return [await inspectTables(inside, target, make)]
  } catch (error) {
    if (error instanceof Stop) return [refused(error.message)]
    throw error
  } finally {
    await inside.close()
  }
}

/** Names of the keyspace's tables; null when there is no such keyspace. */
const tablesOf = async (open: ScyllaTarget['open'], keyspace: string): Promise<readonly string[] | null> => {
  const cql = await open({})
  try {
    const keyspaces = 'SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?'
    if ((await cql.query(keyspaces, [keyspace])).length === 0) return null
    const tables = await cql.query('SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?', [keyspace])
    return tables.map(row => row['table_name'] as string)
  } finally {
    await cql.close()
  }
}

const inspectTables = async (cql: CqlPort, target: ScyllaTarget, make: () => Promise<void>): Promise<Finding> => {
  const { keyspace } = target
  const meta = await readStreamMeta(cql)
  if (meta === null) return missing(`tables of keyspace ${keyspace}, where an init was cut off`, make)
  const foreign = otherOwner(meta, target)
  if (foreign) return refused(foreign.message)
  if (meta.schemaVersion < cqlSchemaVersion)
    return missing(
      `tables of keyspace ${keyspace}: schema version ${cqlSchemaVersion} after ${meta.schemaVersion}`,
      make,
    )
  await checkStore(cql, target)
  return present(`keyspace ${keyspace} and its tables`)
}
