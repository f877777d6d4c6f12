import { describe, expect, test } from 'vitest'
import { cqlMigrations } from '../../schemas/cql/migrations.ts'
import { checkDefine, checkQuery, checkWrite } from './statement-rules.ts'
import { streamMetaTable } from './stream-meta.ts'

const insert = 'INSERT INTO balances (user_id, asset, bal) VALUES (?, ?, ?)'

describe('a write', () => {
  test.each([
    `${insert} USING TIMESTAMP ?`,
    'DELETE FROM trades USING TIMESTAMP ? WHERE trade_id = ?',
    'UPDATE balances USING TIMESTAMP ? SET bal = ? WHERE user_id = ? AND asset = ?',
  ])('goes out: %s', cql => expect(() => checkWrite(cql)).not.toThrow())

  test.each([
    ['a lightweight transaction', `${insert} IF NOT EXISTS USING TIMESTAMP ?`],
    ['a lightweight transaction', 'UPDATE balances USING TIMESTAMP ? SET bal = ? WHERE user_id = ? IF bal = ?'],
    ['a lightweight transaction', 'DELETE FROM trades USING TIMESTAMP ? WHERE trade_id = ? IF EXISTS'],
    ['no USING TIMESTAMP', insert],
    ['no USING TIMESTAMP', 'DELETE FROM trades WHERE trade_id = ?'],
    ['no USING TIMESTAMP', 'UPDATE balances SET bal = ? WHERE user_id = ?'],
    ['no USING TIMESTAMP', `${insert} USING TTL ?`],
    ['adds to a counter', 'UPDATE stats SET n = n + ? WHERE id = ?'],
    ['adds to a counter', 'UPDATE stats USING TIMESTAMP ? SET n = n - 1 WHERE id = ?'],
    ['adds to a counter', 'UPDATE t USING TIMESTAMP ? SET a = ?, tags = ? + tags WHERE id = ?'],
    ['only INSERT, UPDATE and DELETE', 'BEGIN BATCH INSERT INTO t (a) VALUES (?) USING TIMESTAMP ? APPLY BATCH'],
    ['only INSERT, UPDATE and DELETE', 'TRUNCATE balances'],
    ['only INSERT, UPDATE and DELETE', 'CREATE TABLE t (a int, PRIMARY KEY (a))'],
  ])('is refused for %s: %s', (problem, cql) => expect(() => checkWrite(cql)).toThrow(problem))
})

describe('a change of the schema', () => {
  test.each([
    ...[streamMetaTable, ...cqlMigrations.flatMap(each => each.statements)],
    "CREATE KEYSPACE IF NOT EXISTS k WITH replication = {'class': 'NetworkTopologyStrategy', 'dc': 3} AND durable_writes = true",
    'DROP KEYSPACE IF EXISTS k',
    'ALTER TABLE trades ADD venue int',
    'ALTER TABLE trades ADD notes frozen<list<text>>',
    'ALTER TABLE trades DROP venue',
    'DROP TABLE house',
  ])('goes out: %s', cql => expect(() => checkDefine(cql)).not.toThrow())

  test.each([
    ['counter', 'CREATE TABLE t (a int, n counter, PRIMARY KEY (a))'],
    ['not frozen', 'CREATE TABLE t (a int, b list<int>, PRIMARY KEY (a))'],
    ['not frozen', 'CREATE TABLE t (a int, b map<int, frozen<list<int>>>, PRIMARY KEY (a))'],
    ['not frozen', 'CREATE TABLE t (a int, b tuple<int, int>, PRIMARY KEY (a))'],
    [
      'not frozen',
      'CREATE TABLE IF NOT EXISTS t (a int, b posting, PRIMARY KEY (a)) WITH CLUSTERING ORDER BY (a DESC)',
    ],
    ['not frozen', 'CREATE TYPE t (a int, b set<int>)'],
    ['not frozen', 'ALTER TABLE t ADD b set<int>'],
    [
      'one store alone',
      "CREATE TABLE t (a int, PRIMARY KEY (a)) WITH compaction = {'class': 'UnifiedCompactionStrategy'}",
    ],
    [
      'one store alone',
      'CREATE TABLE t (a int, b int, PRIMARY KEY (a, b)) WITH CLUSTERING ORDER BY (b DESC) AND memtable = x',
    ],
    ['one store alone', "ALTER TABLE t WITH read_repair = 'NONE'"],
    ['one store alone', "CREATE KEYSPACE k WITH replication = {'class': 'x'} AND tablets = {'enabled': false}"],
    ['only tables', 'CREATE MATERIALIZED VIEW v AS SELECT * FROM t WHERE a IS NOT NULL PRIMARY KEY (a)'],
    ['only tables', 'CREATE INDEX ON t (a)'],
    ['only tables', "CREATE CUSTOM INDEX ON t (a) USING 'StorageAttachedIndex'"],
    ['only tables', 'TRUNCATE t'],
    ['only tables', 'INSERT INTO t (a) VALUES (1)'],
    ['conditional', 'ALTER TABLE t IF a = 1 ADD b int'],
  ])('is refused: %s, %s', (problem, cql) => expect(() => checkDefine(cql)).toThrow(problem))
})

test('a query is a SELECT', () => {
  expect(() => checkQuery('SELECT bal FROM balances WHERE user_id = ?')).not.toThrow()
  expect(() => checkQuery('UPDATE t SET a = 1')).toThrow('only a SELECT')
})
