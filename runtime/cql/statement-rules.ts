import { CqlFailure } from './port.ts'

/**
 * What must not reach the store, whoever writes it: lightweight transactions, counters, writes without a timestamp of
 * their own, collections that are not frozen, and schema that only one of ScyllaDB and Cassandra takes. Each would let
 * a repeated or late write change what is there (docs/design.md §7, 10). Seen in the text alone: it is our own.
 */

/** @throws CqlFailure `refused` for anything but a stamped INSERT, UPDATE or DELETE */
export const checkWrite = (cql: string): void => refuseFor(cql, writeProblem(cql))

/** @throws CqlFailure `refused` for anything but a schema change that both stores take */
export const checkDefine = (cql: string): void => refuseFor(cql, defineProblem(cql))

/** @throws CqlFailure `refused` for anything but a SELECT */
export const checkQuery = (cql: string): void =>
  refuseFor(cql, /^SELECT\b/i.test(cql.trim()) ? null : 'only a SELECT may be asked')

const refuseFor = (cql: string, problem: string | null): void => {
  if (problem !== null) throw new CqlFailure('refused', 'unsafe', `not sent, ${problem}: ${cql}`)
}

const writeProblem = (cql: string): string | null => {
  const text = cql.trim()
  if (!/^(INSERT|UPDATE|DELETE)\b/i.test(text)) return 'only INSERT, UPDATE and DELETE write'
  if (/\bIF\b/i.test(text)) return 'it is a lightweight transaction'
  if (/\bSET\b.*?=\s*[^,]*[?\w\]}]\s*[+-]\s*[?\w[{]/i.test(text)) return 'it adds to a counter or a collection'
  if (!/\bUSING TIMESTAMP \?/i.test(text)) return 'it has no USING TIMESTAMP ? of its own'
  return null
}

const defineProblem = (cql: string): string | null => {
  const text = cql.trim().replace(/\s+/g, ' ')
  const [, verb = '', what = ''] = /^(CREATE|ALTER|DROP) (TABLE|TYPE|KEYSPACE)\b/i.exec(text) ?? []
  if (verb === '') return 'only tables, types and keyspaces are created, altered or dropped'
  if (/\bIF\b(?! NOT EXISTS\b| EXISTS\b)/i.test(text)) return 'it is conditional'
  if (/\bcounter\b/i.test(text)) return 'it has a counter'
  const [head = '', options = ''] = text.split(/\bWITH\b/i)
  return what.toUpperCase() === 'KEYSPACE' ? keyspaceProblem(options) : (typeProblem(head) ?? tableProblem(options))
}

const tableProblem = (options: string): string | null =>
  /^( ?CLUSTERING ORDER BY \([^()]*\) ?)?$/i.test(options) ? null : `it has an option of one store alone (${options})`

const keyspaceProblem = (options: string): string | null =>
  options.split(/\bAND\b/i).every(each => each.trim() === '' || /^\s*(replication|durable_writes) = /i.test(each))
    ? null
    : `it has an option of one store alone (${options})`

const plainTypes = new Set(['bigint', 'int', 'text', 'varint', 'boolean', 'blob', 'decimal', 'timestamp', 'uuid'])

/** The columns of a CREATE and of an ALTER … ADD. */
const typeProblem = (head: string): string | null => {
  const body = /^CREATE \w+ (?:IF NOT EXISTS )?[\w.]+ \((.*)\)/i.exec(head)?.[1] ?? /\bADD (.+)$/i.exec(head)?.[1] ?? ''
  for (const column of splitTop(body)) {
    if (/^PRIMARY KEY\b/i.test(column)) continue
    const type = column.replace(/^\w+ /, '').toLowerCase()
    if (!type.startsWith('frozen<') && !plainTypes.has(type)) return `${column} is not frozen`
  }
  return null
}

/** Splits at commas outside of brackets. */
export const splitTop = (text: string): string[] => {
  const parts: string[] = []
  let depth = 0
  let part = ''
  for (const char of text) {
    if (char === '(' || char === '<') depth++
    if (char === ')' || char === '>') depth--
    if (char === ',' && depth === 0) {
      parts.push(part.trim())
      part = ''
    } else part += char
  }
  return [...parts, part.trim()].filter(each => each !== '')
}
