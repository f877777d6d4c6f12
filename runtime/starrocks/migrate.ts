import { type Migration, migrations } from '../../schemas/starrocks/migrations.ts'
import { refuse } from '../stop.ts'
import { SqlFailure, type SqlPort } from './sql-port.ts'

export type DatabaseOwner = {
  readonly database: string
  readonly stream: string
  /** Of the stream's user.outputs. */
  readonly partitions: number
}

export type MigrateOptions = DatabaseOwner & {
  /** Opens the MySQL door, with a database chosen or without. */
  readonly openSql: (database?: string) => SqlPort
  /** Copies of each tablet; 1 on one backend. */
  readonly replicationNum: number
  /** `plan` only says what would be done. */
  readonly mode: 'apply' | 'plan'
}

/**
 * Brings a stream's database to the newest schema: creates it, applies the migrations it has not seen, in order, and
 * writes whose it is. Returns what was done (or would be), a line each; nothing when all is there.
 * @throws Stop when the database is another stream's, or an applied migration was edited since; SqlFailure
 */
export const migrateStarRocks = async (options: MigrateOptions): Promise<readonly string[]> => {
  const { database, openSql, mode } = options
  const done: string[] = []
  if (!(await hasDatabase(openSql, database))) {
    done.push(`create database ${database}`)
    if (mode === 'plan') return [...done, ...migrations.map(({ name }) => `apply ${name} to ${database}`)]
    await withSql(openSql(), sql => sql.query(`CREATE DATABASE IF NOT EXISTS ${quoted(database)}`))
  }
  await withSql(openSql(database), async sql => {
    const applied = await appliedMigrations(sql, database)
    await checkOwner(sql, options)
    for (const migration of migrations) {
      if (applied.has(migration.version)) continue
      done.push(`apply ${migration.name} to ${database}`)
      if (mode === 'apply') await apply(sql, migration, options.replicationNum)
    }
    if (mode === 'apply') await writeOwner(sql, options)
  })
  return done
}

const withSql = async <T>(sql: SqlPort, use: (sql: SqlPort) => Promise<T>): Promise<T> => {
  try {
    return await use(sql)
  } finally {
    await sql.close()
  }
}

const quoted = (name: string): string => `\`${name}\``

const hasDatabase = (openSql: MigrateOptions['openSql'], database: string): Promise<boolean> =>
  withSql(openSql(), async sql => {
    const rows = await sql.query('SHOW DATABASES')
    return rows.some(row => Object.values(row)[0] === database)
  })

const hasTable = async (sql: SqlPort, table: string): Promise<boolean> =>
  (await sql.query('SHOW TABLES')).some(row => Object.values(row)[0] === table)

/** Statements are harmless when repeated: a run that was cut goes on with the migration it was in. */
const apply = async (sql: SqlPort, migration: Migration, replicationNum: number): Promise<void> => {
  for (const statement of migration.statements)
    await sql.query(statement.replaceAll('"replication_num" = "1"', `"replication_num" = "${replicationNum}"`))
  await sql.query('INSERT INTO schema_version (`version`, `name`, sha256) VALUES (?, ?, ?)', [
    migration.version,
    migration.name,
    migration.sha256,
  ])
}

/**
 * Versions of the migrations applied to a database.
 * @throws Stop when one of them is not one of ours, or was edited since
 */
export const appliedMigrations = async (sql: SqlPort, database: string): Promise<ReadonlySet<number>> => {
  if (!(await hasTable(sql, 'schema_version'))) return new Set()
  const rows = await sql.query('SELECT `version`, `name`, sha256 FROM schema_version ORDER BY `version`')
  for (const { version, name, sha256 } of rows) {
    const ours = migrations.find(each => each.version === Number(version))
    if (!ours)
      throw refuse(
        'schema-newer',
        `StarRocks database ${database}: migration ${name} (${version}) was applied, which this program does not have; run the newer program`,
      )
    if (ours.sha256 !== sha256)
      throw refuse(
        'schema-edited',
        `StarRocks database ${database}: migration ${name} was applied with SHA-256 ${sha256}, the program's has ${ours.sha256}; a migration is never edited, add a new one`,
      )
  }
  return new Set(rows.map(({ version }) => Number(version)))
}

const ownerRows = ({ stream, partitions }: DatabaseOwner): ReadonlyMap<string, string> =>
  new Map([
    ['stream', stream],
    ['partitions', String(partitions)],
  ])

/**
 * Says whether a database belongs to this stream; what is not said yet passes.
 * @throws Stop naming what it belongs to
 */
export const checkOwner = async (sql: SqlPort, owner: DatabaseOwner): Promise<'ours' | 'nobody'> => {
  if (!(await hasTable(sql, 'stream_meta'))) return 'nobody'
  const rows = await sql.query('SELECT `name`, `value` FROM stream_meta')
  const said = new Map(rows.map(({ name, value }) => [name, value]))
  for (const [name, expected] of ownerRows(owner)) {
    const found = said.get(name)
    if (found !== undefined && found !== expected)
      throw refuse(
        'database-foreign',
        `StarRocks database ${owner.database} was made for ${name} ${found}, the settings say ${expected}; use the settings it was made with, or another database`,
        { name, found, expected },
      )
  }
  return said.has('stream') ? 'ours' : 'nobody'
}

const writeOwner = async (sql: SqlPort, owner: DatabaseOwner): Promise<void> => {
  if ((await checkOwner(sql, owner)) === 'ours') return
  for (const [name, value] of ownerRows(owner))
    await sql.query('INSERT INTO stream_meta (`name`, `value`, pos) VALUES (?, ?, 0)', [name, value])
}

/** Whether the database is there at all; used to tell a missing database from a broken connection. */
export const isMissingDatabase = (error: unknown): boolean =>
  error instanceof SqlFailure && error.kind === 'refused' && /unknown database/i.test(error.message)
