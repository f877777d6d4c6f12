import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import type { CqlPort } from '../../runtime/cql/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import type { EngineDump } from './engine-dump.ts'

const run = promisify(execFile)
const runMs = 60_000

export type ExampleQuery = {
  readonly title: string
  /** For a shell in the clone's folder. */
  readonly command: string
}

/** Three things that a newcomer would ask of what was just stored. */
export const exampleQueries = async (options: {
  readonly cql: CqlPort
  readonly sql: SqlPort
  readonly names: StreamNames
  readonly dump: EngineDump
  /** The user that receives fees. */
  readonly house: string
  readonly archiveDir: string
  /** The clone's folder, where the commands are to be run. */
  readonly clone: string
  /** Set when the stack's folder is not the usual one. */
  readonly stackFolder: string | undefined
}): Promise<readonly ExampleQuery[]> => {
  const { cql, sql, names, dump, house, archiveDir, clone, stackFolder } = options
  const user = busiestUser(dump, house)
  const [newest] = await cql.query('SELECT bucket FROM history_buckets WHERE user_id = ? LIMIT 1', [BigInt(user)])
  const bucket = (newest?.['bucket'] as bigint | undefined) ?? 0n
  const [symbol] = await sql.query(
    'SELECT symbol_id, count(*) AS many FROM trades GROUP BY symbol_id ORDER BY many DESC LIMIT 1',
  )
  // Its timer may be a minute away.
  await sql.query('REFRESH MATERIALIZED VIEW candles_1m WITH SYNC MODE')
  const where = stackFolder === undefined ? '' : `SETTLE_DATA=${quoted(stackFolder)} `
  const query = (language: 'cql' | 'sql', statement: string): string =>
    `${where}npx node sim/demo/query.ts ${language} ${quoted(statement)}`
  const file = await firstFile(join(archiveDir, names.stream, 'user.outputs', 'trades'))
  return [
    {
      title: `the wallet of user ${user}: available, frozen, version, pos`,
      command: query('cql', `SELECT asset, bal FROM ${names.keyspace}.balances WHERE user_id = ${user}`),
    },
    {
      title: 'and the newest lines of its statement',
      command: query(
        'cql',
        `SELECT time, postings FROM ${names.keyspace}.history WHERE user_id = ${user} AND bucket = ${bucket} LIMIT 3`,
      ),
    },
    {
      title: 'the last candles, as any MySQL client can ask for them',
      command: query(
        'sql',
        `SELECT \`time\`, \`open\`, high, low, \`close\`, volume, trade_count FROM ${names.database}.candles_1m WHERE symbol_id = ${String(symbol?.['symbol_id'] ?? 1)} ORDER BY \`time\` DESC LIMIT 5`,
      ),
    },
    ...(file === null
      ? []
      : [{ title: 'the head of a CSV file', command: `head -n 3 ${quoted(relative(clone, file))}` }]),
  ]
}

/** Runs it as a newcomer would. @throws when it fails: then it must not be offered */
export const tryQuery = async ({ command }: ExampleQuery, { clone }: { readonly clone: string }): Promise<string> => {
  const { stdout } = await run('/bin/sh', ['-c', command], { cwd: clone, timeout: runMs, maxBuffer: 16 * 1024 * 1024 })
  return stdout.trimEnd()
}

const busiestUser = ({ balances }: EngineDump, house: string): string => {
  const changes = new Map<string, bigint>()
  for (const { user, version } of balances)
    if (user !== house) changes.set(user, (changes.get(user) ?? 0n) + BigInt(version))
  let busiest = '1'
  for (const [user, count] of changes) if (count > (changes.get(busiest) ?? 0n)) busiest = user
  return busiest
}

const firstFile = async (folder: string): Promise<string | null> => {
  const found = (await readdir(folder, { recursive: true })).filter(name => name.endsWith('.csv')).sort()
  return found[0] === undefined ? null : join(folder, found[0])
}

const quoted = (text: string): string => (/^[\w./:=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)
