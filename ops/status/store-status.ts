import type { Barrier } from '../../core/events.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'

/** A user whose outputs are refused: from which pos on, and why. */
type ParkedUser = {
  readonly user: bigint
  readonly pos: bigint
  readonly asset: number
  /** The version that was refused; the user's cell is below it. */
  readonly version: bigint
  readonly code: string
  readonly message: string
}

export type ScyllaStatus = {
  /** The newest barrier of which every partition's row is there; null when none was found. */
  readonly interval: bigint | null
  /** Barriers behind it that lack rows. */
  readonly incomplete: number
  readonly parked: readonly ParkedUser[]
  readonly parkedCount: number
}

const maxBarriers = 200
const maxParked = 20

/** `barriers`: newest first. */
export const readScyllaStatus = async (
  cql: CqlPort,
  { barriers, partitions }: { readonly barriers: AsyncIterable<Barrier>; readonly partitions: number },
): Promise<ScyllaStatus> => {
  let [interval, incomplete] = [null as bigint | null, 0]
  for await (const { pos } of barriers) {
    const rows = await cql.query('SELECT part FROM intervals WHERE barrier_pos = ?', [pos])
    if (rows.length >= partitions) interval = pos
    else incomplete++
    if (interval !== null || incomplete >= maxBarriers) break
  }
  return { interval, incomplete, ...(await parkedUsers(cql)) }
}

/** Rows stay when a user is healed: only one whose cell has not reached the refused version is parked. */
const parkedUsers = async (cql: CqlPort): Promise<Pick<ScyllaStatus, 'parked' | 'parkedCount'>> => {
  const parked = new Map<bigint, ParkedUser>()
  for await (const row of cql.scan('SELECT user_id, pos, asset, version, code, message FROM parked')) {
    const [user, asset, version] = [row['user_id'] as bigint, row['asset'] as number, row['version'] as bigint]
    const [cell] = await cql.query('SELECT bal FROM balances WHERE user_id = ? AND asset = ?', [user, asset])
    const reached = cell ? ((cell['bal'] as readonly bigint[])[2] as bigint) : 0n
    if (reached >= version) continue
    const each = { user, asset, version, pos: row['pos'] as bigint }
    const known = parked.get(user)
    if (!known || each.pos < known.pos)
      parked.set(user, { ...each, code: row['code'] as string, message: row['message'] as string })
  }
  return { parked: [...parked.values()].slice(0, maxParked), parkedCount: parked.size }
}

export type TableStatus = { readonly table: string; readonly rows: bigint; readonly pos: bigint | null }

const loadedTables = ['trades', 'user_trades', 'orders', 'order_events', 'ledger', 'balances'] as const

export const readStarRocksStatus = async (sql: SqlPort): Promise<readonly TableStatus[]> => {
  const tables: TableStatus[] = []
  for (const table of loadedTables) {
    const [row] = await sql.query(`SELECT count(*) AS n, max(pos) AS newest FROM ${table}`)
    const newest = row?.['newest'] ?? null
    tables.push({ table, rows: BigInt(row?.['n'] ?? 0), pos: newest === null ? null : BigInt(newest) })
  }
  return tables
}
