import { describe, expect, test } from 'vitest'
import { parseDdl } from './ddl-parser.ts'
import { showCreate } from './show-create.ts'
import { TokenCursor } from './token-cursor.ts'

const parse = (sql: string) => parseDdl(new TokenCursor(sql))

const table = (parts: { columns?: string; after?: string; distribution?: string } = {}): string =>
  `CREATE TABLE d.t (${parts.columns ?? 'a BIGINT NOT NULL, t DATETIME NOT NULL, v INT'}) ${parts.after ?? 'PRIMARY KEY (a, t)'}
   ${parts.distribution ?? 'DISTRIBUTED BY HASH (a)'}`

describe('accepted', () => {
  test.each([
    ['CREATE DATABASE IF NOT EXISTS `d`;', 'create database'],
    ['DROP DATABASE IF EXISTS d FORCE', 'drop database'],
    ['ALTER TABLE t ADD COLUMN c DECIMAL(38, 18) NULL DEFAULT NULL COMMENT "x"', 'add columns'],
    ['ALTER TABLE t ADD COLUMN (c INT, e STRING NOT NULL DEFAULT "")', 'add columns'],
    ['TRUNCATE TABLE default_catalog.d.t', 'truncate'],
    ['DROP TABLE IF EXISTS d.t FORCE', 'drop'],
    ['drop materialized view m', 'drop'],
    ['REFRESH MATERIALIZED VIEW d.m WITH SYNC MODE', 'refresh'],
    ['CREATE OR REPLACE VIEW v (a, b COMMENT "x") COMMENT "y" AS WITH x AS (SELECT 1) SELECT * FROM x', 'create view'],
    ['CREATE MATERIALIZED VIEW m REFRESH DEFERRED MANUAL AS SELECT 1 AS a', 'create materialized view'],
    [
      `CREATE MATERIALIZED VIEW IF NOT EXISTS m COMMENT "c" PARTITION BY date_trunc('day', d) DISTRIBUTED BY HASH (a) BUCKETS 4
       ORDER BY (a) REFRESH ASYNC START ('2024-01-01 00:00:00') EVERY (INTERVAL 5 MINUTE)
       PROPERTIES ("replication_num" = "1") AS SELECT 1 AS a`,
      'create materialized view',
    ],
  ])('%s', (sql, kind) => {
    expect(parse(sql).kind).toBe(kind)
  })

  test.each([
    table(),
    table({ after: `PRIMARY KEY (a, t) COMMENT "it's \\"so\\"" PARTITION BY date_trunc('day', t)` }),
    table({ after: 'ENGINE = OLAP PRIMARY KEY (a, t) PARTITION BY (a, t)' }),
    table({
      distribution:
        'DISTRIBUTED BY HASH (a, t) BUCKETS 8 ORDER BY (v, a) PROPERTIES ("replication_num" = "1", "compression" = "LZ4")',
    }),
    table({
      columns: `a LARGEINT NOT NULL COMMENT "k", t DATE NOT NULL, b BOOLEAN, c TINYINT, d SMALLINT DEFAULT "3", e INTEGER, f FLOAT,
        g DOUBLE, h CHAR(3), i VARCHAR(1048576) NOT NULL DEFAULT "\\n", j STRING NULL DEFAULT NULL, k DECIMAL(9), l DECIMAL(38,18)`,
    }),
  ])('what SHOW CREATE prints makes the same table: %s', sql => {
    const first = parse(sql)
    if (first.kind !== 'create table') throw new Error(`parsed as ${first.kind}`)
    const printed = showCreate('t', { kind: 'table', definition: first.definition })
    expect(parse(printed)).toMatchObject({ kind: 'create table', definition: first.definition })
  })
})

describe('refused', () => {
  test.each([
    [table({ after: 'DUPLICATE KEY (a)' }), /DUPLICATE KEY table model/],
    [table({ after: '' }), /without PRIMARY KEY/],
    [table({ distribution: '' }), /without DISTRIBUTED BY HASH/],
    [table({ distribution: 'DISTRIBUTED BY RANDOM' }), /DISTRIBUTED BY RANDOM/],
    [table({ after: 'PRIMARY KEY (t, a)' }), /first few columns/],
    [table({ after: 'PRIMARY KEY (v)' }), /first few columns/],
    [table({ columns: 'a BIGINT NULL, t INT', after: 'PRIMARY KEY (a)' }), /cannot be nullable/],
    [table({ columns: 'a DECIMAL(9,2) NOT NULL', after: 'PRIMARY KEY (a)' }), /Invalid data type of key column/],
    [table({ columns: 'a INT NOT NULL, A INT', after: 'PRIMARY KEY (a)' }), /Duplicate column name/],
    [
      table({ after: "PRIMARY KEY (a) PARTITION BY date_trunc('day', t)" }),
      /partition column 't' must be a column of the PRIMARY KEY/,
    ],
    [table({ after: 'PRIMARY KEY (a, t)', distribution: 'DISTRIBUTED BY HASH (v)' }), /distribution column 'v'/],
    [table({ after: "PRIMARY KEY (a, t) PARTITION BY date_trunc('second', t)" }), /can't support argument 'second'/],
    [table({ after: 'PRIMARY KEY (a, t) PARTITION BY RANGE (t) ()' }), /PARTITION BY RANGE/],
    [table({ distribution: 'DISTRIBUTED BY HASH (a) PROPERTIES ("nope" = "1")' }), /property "nope"/],
    [table({ distribution: 'DISTRIBUTED BY HASH (a) ROLLUP (r (a))' }), /expected the end of the statement/],
    [table({ distribution: 'DISTRIBUTED BY HASH (a) COMMENT "late"' }), /Unexpected input 'COMMENT'/],
    [table({ columns: 'a JSON NOT NULL' }), /type JSON/],
    [table({ columns: 'a DECIMAL(39,0) NOT NULL' }), /precision 1 to 38/],
    [table({ columns: 'a VARCHAR(1048577) NOT NULL' }), /between 1 and 1048576/],
    [table({ columns: 'a INT NOT NULL AUTO_INCREMENT' }), /AUTO_INCREMENT on column 'a'/],
    [table({ columns: 'a INT NOT NULL DEFAULT "x"' }), /Invalid default value for 'a'/],
    [table({ columns: 'a INT NOT NULL DEFAULT NULL' }), /NULL in a NOT NULL column/],
    [table({ columns: 'a INT NOT NULL, b DATETIME DEFAULT CURRENT_TIMESTAMP' }), /not a quoted value/],
    [table({ columns: 'a INT NOT NULL, __op INT' }), /reserved/],
    ['CREATE MATERIALIZED VIEW m AS SELECT 1', /without REFRESH/],
    ['CREATE MATERIALIZED VIEW m REFRESH ASYNC AS SELECT 1', /without EVERY/],
    ['CREATE MATERIALIZED VIEW m REFRESH INCREMENTAL AS SELECT 1', /REFRESH INCREMENTAL/],
    ['CREATE MATERIALIZED VIEW m REFRESH MANUAL REFRESH MANUAL AS SELECT 1', /Unexpected input 'REFRESH'/],
    ['CREATE VIEW v AS DROP TABLE t', /expected SELECT or WITH/],
    ['CREATE INDEX i ON t (a)', /CREATE INDEX/],
    ['ALTER TABLE t DROP COLUMN a', /ALTER TABLE … DROP/],
    ['ALTER TABLE t ADD COLUMN c INT FIRST', /position for ADD COLUMN/],
    ['DROP USER root', /DROP USER/],
    ['CREATE DATABASE', /Unexpected end/],
  ])('%s', (sql, message) => {
    expect(() => parse(sql)).toThrow(message)
  })
})
