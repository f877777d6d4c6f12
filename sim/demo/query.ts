import { pino } from 'pino'
import { stackFromFile } from '../../local/stack.ts'
import { systemClock } from '../../runtime/clock.ts'
import { openCql } from '../../runtime/cql/cql.ts'
import type { CqlValue } from '../../runtime/cql/port.ts'
import { openMysql } from '../../runtime/starrocks/mysql.ts'
import { textTable } from './text-table.ts'

const USAGE = `A statement at one of the local stores, for who has no cqlsh and no mysql at hand.

  node sim/demo/query.ts cql 'SELECT …'     the store of balances, by CQL
  node sim/demo/query.ts sql 'SELECT …'     StarRocks, by its MySQL door
`

type Rows = readonly Readonly<Record<string, unknown>>[]

const cql = async (statement: string): Promise<Rows> => {
  const { cassandra } = stackFromFile({ servers: ['cassandra'] })
  const store = await openCql({
    contactPoints: cassandra.contactPoints.map(host => `${host}:${cassandra.port}`),
    datacenter: cassandra.localDataCenter,
    username: '',
    password: '',
    inFlight: 1,
    log: pino({ level: 'silent' }),
    clock: systemClock,
  })
  try {
    return await store.query(statement)
  } finally {
    await store.close()
  }
}

const sql = async (statement: string): Promise<Rows> => {
  const { starrocks } = stackFromFile({ servers: ['starrocks'] })
  const { mysqlHost, mysqlPort, user, password } = starrocks
  const store = openMysql({ address: `${mysqlHost}:${mysqlPort}`, user, password })
  try {
    return await store.query(statement)
  } finally {
    await store.close()
  }
}

/** Lists one element a line; a structure by its names. */
const cellText = (value: CqlValue): string => {
  if (value === null) return ''
  if (Array.isArray(value)) {
    const isTuple = value.every(each => typeof each !== 'object')
    return isTuple ? value.map(cellText).join(', ') : value.map(cellText).join('\n')
  }
  if (typeof value === 'object' && !Buffer.isBuffer(value)) {
    const entries = value instanceof Map ? [...value] : Object.entries(value)
    return entries.map(([name, each]) => `${String(name)} ${cellText(each as CqlValue)}`).join(', ')
  }
  return String(value)
}

const [language, statement] = process.argv.slice(2)
if (statement === undefined || (language !== 'cql' && language !== 'sql')) {
  process.stderr.write(USAGE)
  process.exitCode = 2
} else {
  try {
    const rows = await (language === 'cql' ? cql(statement) : sql(statement))
    const head = Object.keys(rows[0] ?? { 'no rows': '' })
    process.stdout.write(
      `${textTable(
        head,
        rows.map(row => head.map(name => cellText(row[name] as CqlValue))),
      )}\n`,
    )
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
