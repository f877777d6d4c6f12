import { expect, test } from 'vitest'
import { translateQuery } from './select-translation.ts'
import { SqlError } from './sql-error.ts'

const translate = (sql: string): string =>
  translateQuery(sql, {
    database: 'shop',
    user: 'root',
    connectionId: 7,
    variable: name => {
      if (name === 'version_comment') return "it's"
      throw new SqlError(1193, name)
    },
  })

test.each([
  ['SELECT a, b.c, `d e` FROM t', 'SELECT a, b.c, "d e" FROM t'],
  ['SELECT \'o\\\'x\', "say ""hi""" AS h', "SELECT 'o''x', 'say \"hi\"' AS h"],
  ["SELECT a FROM t WHERE b LIKE '50\\%' -- why", "SELECT a FROM t WHERE b LIKE '50\\%' ESCAPE '\\'"],
  ['SELECT count(*), sum(a) s, a + b FROM t', 'SELECT count(*) AS "count(*)", sum(a) s, a + b AS "a + b" FROM t'],
  [
    'SELECT DISTINCT max(a) FROM (SELECT min(b) FROM t) x',
    'SELECT DISTINCT max(a) AS "max(a)" FROM (SELECT min(b) AS "min(b)" FROM t) x',
  ],
  ['SELECT CASE WHEN a THEN 1 END FROM t', 'SELECT CASE WHEN a THEN 1 END AS "CASE WHEN a THEN 1 END" FROM t'],
  ['SELECT a x, b AS y, t.*, * FROM t', 'SELECT a x, b AS y, t.*, * FROM t'],
  ['SELECT @@version_comment LIMIT 1', "SELECT 'it''s' AS \"@@version_comment\" LIMIT 1"],
  ['SELECT DATABASE() AS d, connection_id() c', "SELECT 'shop' AS d, 7 c"],
  ['SELECT a FROM t LIMIT 5, 10', 'SELECT a FROM t LIMIT 10 OFFSET 5'],
  ['SELECT a FROM `information_schema`.`tables`', 'SELECT a FROM _information_schema."tables"'],
  ['SELECT a DIV 2 AS h FROM t WHERE a <=> NULL', 'SELECT a // 2 AS h FROM t WHERE a IS NOT DISTINCT FROM NULL'],
  [
    "SELECT date_format(t, '%Y-%m-%d %H:%i:%s') f FROM x",
    "SELECT strftime(CAST(t AS TIMESTAMP), '%Y-%m-%d %H:%M:%S') f FROM x",
  ],
  ['SELECT date_sub(t, INTERVAL 1 + 1 DAY) y FROM x', 'SELECT (CAST(t AS TIMESTAMP) - INTERVAL (1 + 1) DAY) y FROM x'],
  ["SELECT concat(a, 'b') c FROM t", "SELECT (CAST(a AS VARCHAR) || CAST('b' AS VARCHAR)) c FROM t"],
  ['SELECT CAST(a AS LARGEINT) l FROM t', 'SELECT CAST(a AS HUGEINT) l FROM t'],
  ["INSERT INTO t VALUES (1, 'x')", "INSERT INTO t VALUES (1, 'x')"],
])('%s', (sql, expected) => {
  expect(translate(sql)).toBe(expected)
})

test.each([
  ['SELECT a || b FROM t', /\|\|/],
  ['SELECT week(a) FROM t', /week\(\)/],
  ['SELECT date_format(a, b) FROM t', /not a literal/],
  ["SELECT date_format(a, '%U') FROM t", /%U/],
  ['SELECT @x', /@x/],
  ['SELECT @@nope', /nope/],
  ['SELECT date_sub(a', /not closed/],
  ['SELECT 1 /* open', /not closed/],
])('%s is refused', (sql, message) => {
  expect(() => translate(sql)).toThrow(message)
})
