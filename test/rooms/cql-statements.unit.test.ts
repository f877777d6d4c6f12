import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkWrite } from '../../runtime/cql/statement-rules.ts'
import { shapeOf } from '../../runtime/cql/table-shape.ts'
import { streamMetaTable } from '../../runtime/cql/stream-meta.ts'
import { cqlMigrations } from '../../schemas/cql/migrations.ts'

const repository = join(import.meta.dirname, '../..')
/** `bench` keeps the replaced design as it was, lightweight transactions and all. */
const elsewhere = /^(node_modules|\.data|\.git|bench)(\/|$)/
/** Statements that are there to be refused. */
const refused = new Set(['runtime/cql/statement-rules.unit.test.ts', 'test/rooms/cql-statements.unit.test.ts'])

/** By the driver itself, to see its rows made again. */
const emptiesATable = 'test/e2e/replay.e2e.test.ts'

const sources = readdirSync(repository, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
  .map(entry => relative(repository, join(entry.parentPath, entry.name)))
  .filter(path => !elsewhere.test(path) && !refused.has(path) && path !== emptiesATable)
  .map(path => ({ path, text: readFileSync(join(repository, path), 'utf8') }))

const tables = new Set(
  [...shapeOf([streamMetaTable, ...cqlMigrations.flatMap(each => each.statements)]).keys()].map(
    name => name.split('.')[0] ?? '',
  ),
)

/** Texts that write to one of the store's tables, in a file that has to do with the store. StarRocks has its own SQL. */
const writesIn = (text: string): string[] => {
  if (!/from '.*(\/cql\/|cassandra-driver)/.test(text) && !/\bcql:/.test(text)) return []
  const joined = text.replace(/['"`]\s*\+\s*['"`]/g, '')
  const writes = /(['"`])((?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE) (?:\$\{[^}]*\}\.)?(\w+)\b.*?)\1/gs
  return [...joined.matchAll(writes)]
    .filter(([, , cql = '', table = '']) => tables.has(table) && !onlyBegins.test(cql))
    .map(([, , cql = '']) => cql)
}

/** What tests look for at the beginning of a statement. */
const onlyBegins = /^(INSERT INTO|UPDATE|DELETE FROM) \w+ ?$/

/** Words to StarRocks stand in calls of its port. */
const withoutSql = (text: string): string => text.replace(/\bsql\.query\(\s*(['"`]).*?\1/gs, '')

describe('every write to the store in the source', () => {
  const found = sources.flatMap(({ path, text }) => writesIn(withoutSql(text)).map(cql => [path, cql] as const))

  test.each(found)('%s keeps the rules: %s', (_, cql) => expect(() => checkWrite(cql)).not.toThrow())

  test('is found: each table that settle writes has one', () => {
    const settle = found
      .filter(([path]) => path.startsWith('processor/settle/rows'))
      .map(([, cql]) => cql.split(' ')[2])
    expect(new Set([...settle, 'stream_meta'])).toEqual(new Set([...tables].filter(each => !types.has(each))))
  })

  test('is seen when it breaks them', () => {
    const text =
      "import { x } from '../cql/port.ts'\nconst a = 'INSERT INTO balances (a) ' +\n  'VALUES (?) IF NOT EXISTS'"
    const [cql = ''] = writesIn(text)
    expect(() => checkWrite(cql)).toThrow('lightweight transaction')
  })
})

const types = new Set(
  cqlMigrations.flatMap(each =>
    each.statements.flatMap(text => /^CREATE TYPE IF NOT EXISTS (\w+)/.exec(text)?.[1] ?? []),
  ),
)

test('the driver is used by the port alone, which refuses what breaks the rules', () => {
  const users = sources.filter(({ text }) => /from 'cassandra-driver'/.test(text)).map(({ path }) => path)
  const product = users.filter(path => !path.endsWith('.test.ts') && !path.startsWith('runtime/cql/'))
  // The local stack only asks whether a node answers; the loss of power is seen where no quorum mends it.
  expect(product.sort()).toEqual(['local/cassandra.ts', 'test/power/ring.ts'])
})
