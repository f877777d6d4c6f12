import { expect, test } from 'vitest'
import { cqlMigrations, cqlSchemaVersion } from '../../schemas/cql/migrations.ts'
import { shapeOf, shapeOfStore, shapeProblems } from './table-shape.ts'

const statements = [
  'CREATE TYPE IF NOT EXISTS pair ( a int, b frozen<list<int>> )',
  'CREATE TABLE IF NOT EXISTS t ( k bigint, d int, c text, v frozen<tuple<bigint, int>>, PRIMARY KEY ((k, d), c) ) WITH CLUSTERING ORDER BY (c DESC)',
  'CREATE TABLE IF NOT EXISTS u ( k int, PRIMARY KEY (k) )',
  'ALTER TABLE t ADD w map<int, text>',
]
const expected = shapeOf(statements)

const stored = (
  over: (columns: Parameters<typeof shapeOfStore>[0][number][]) => Parameters<typeof shapeOfStore>[0] = each => each,
): ReturnType<typeof shapeOfStore> =>
  shapeOfStore(
    over([
      { table: 't', column: 'k', kind: 'partition_key', position: 0, type: 'bigint' },
      { table: 't', column: 'd', kind: 'partition_key', position: 1, type: 'int' },
      { table: 't', column: 'c', kind: 'clustering', position: 0, type: 'text' },
      { table: 't', column: 'v', kind: 'regular', position: -1, type: 'frozen<tuple<bigint, int>>' },
      { table: 't', column: 'w', kind: 'regular', position: -1, type: 'map<int, text>' },
      { table: 'u', column: 'k', kind: 'partition_key', position: 0, type: 'int' },
      { table: 'theirs', column: 'x', kind: 'partition_key', position: 0, type: 'int' },
    ]),
    [{ name: 'pair', fields: ['a', 'b'], types: ['int', 'frozen<list<int>>'] }],
  )

test('a store that has what the migrations make has no problems; tables of others are their business', () => {
  expect(shapeProblems(expected, stored())).toEqual([])
})

test('a missing column, another type, another key and an extra column are told', () => {
  expect(
    shapeProblems(
      expected,
      stored(all => all.filter(each => each.column !== 'w')),
    ),
  ).toEqual(['t.w is missing (map<int,text> regular)'])
  expect(
    shapeProblems(
      expected,
      stored(all => all.map(each => (each.column === 'v' ? { ...each, type: 'text' } : each))),
    ),
  ).toEqual(['t.v is text regular, not frozen<tuple<bigint,int>> regular'])
  expect(
    shapeProblems(
      expected,
      stored(all => all.map(each => (each.column === 'd' ? { ...each, kind: 'clustering', position: 0 } : each))),
    ),
  ).toEqual(['t.d is int clustering 0, not int partition_key 1'])
  const extra = { table: 'u', column: 'more', kind: 'regular', position: -1, type: 'int' }
  expect(
    shapeProblems(
      expected,
      stored(all => [...all, extra]),
    ),
  ).toEqual(['u.more (int regular) does not belong there'])
})

test('the migrations read; no counter, no collection that is not frozen, no option of one store alone', () => {
  expect(cqlMigrations.map(each => each.version)).toEqual(cqlMigrations.map((_, at) => at + 1))
  expect(cqlSchemaVersion).toBe(cqlMigrations.length)
  const all = cqlMigrations.flatMap(each => each.statements)
  for (const [name, type] of shapeOf(all)) {
    expect(`${name} ${type}`).not.toMatch(/counter/)
    expect(`${name} ${type}`).not.toMatch(/(^|[^<]|[^n]<)(list|set|map|tuple)</)
  }
  for (const statement of all)
    expect(statement.replace(/.* WITH CLUSTERING ORDER BY \([^)]*\)$/, '')).not.toMatch(/ WITH /)
})
