import { describe, expect, it } from 'vitest'
import { toDatetime } from './datetime.ts'
import { migrations, statementsOf } from './migrations.ts'
import { mergeConditions, normalType, tables } from './tables.ts'

describe('migrations', () => {
  it('are numbered from 1 without holes', () => {
    expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, index) => index + 1))
  })

  it('are cut into statements at the end of lines, comments left out', () => {
    expect(statementsOf('-- a; b;\nCREATE x (\n  y "a;b"\n);\n\nCREATE z; \n')).toEqual([
      'CREATE x (\n  y "a;b"\n)',
      'CREATE z',
    ])
  })

  it('were not edited since they were released: a change is a new migration', () => {
    // Databases remember these; whoever must change one that nobody applied yet changes this too.
    expect(Object.fromEntries(migrations.map(({ name, statements }) => [name, statements.length]))).toEqual({
      '001-tables.sql': 10,
      '002-views.sql': 7,
    })
  })
})

describe('tables', () => {
  it('are what the migrations make', () => {
    expect([...tables.keys()].sort()).toEqual([
      'assets',
      'balances',
      'ledger',
      'order_events',
      'orders',
      'schema_version',
      'stream_meta',
      'symbols',
      'trades',
      'user_trades',
    ])
    expect(tables.get('ledger')?.key).toEqual(['user_id', 'asset_id', 'version', 'time'])
    expect(tables.get('orders')?.columns.find(({ name }) => name === 'price')).toEqual({
      name: 'price',
      type: 'decimal(38,18)',
      nullable: true,
    })
  })

  it.each([...tables.values()].map(table => [table.name, table] as const))(
    '%s: key columns come first, none may be NULL, and every amount stands in both units',
    (_, table) => {
      const names = table.columns.map(({ name }) => name)
      expect(names.slice(0, table.key.length)).toEqual(table.key)
      expect(table.columns.slice(0, table.key.length).every(({ nullable }) => !nullable)).toBe(true)
      for (const { name, type, nullable } of table.columns) {
        // The size of a unit is no amount.
        if (type !== 'decimal(38,18)' || name === 'unit') continue
        const exact = table.columns.find(each => each.name === `${name}_units`)
        expect(exact).toMatchObject({ type: 'bigint' })
        // What has an exact amount may lack units to show it in, never the other way round.
        expect(nullable || exact?.nullable === false).toBe(true)
      }
    },
  )

  it('merge by a number outside the key', () => {
    for (const [name, column] of Object.entries(mergeConditions)) {
      const table = tables.get(name)
      expect(table?.key).not.toContain(column)
      expect(table?.columns).toContainEqual({ name: column, type: 'bigint', nullable: false })
    }
  })
})

describe('normalType', () => {
  it.each([
    ['bigint(20)', 'bigint'],
    ['int(11)', 'int'],
    ['DECIMAL(38, 18)', 'decimal(38,18)'],
    ['decimal128(38, 18)', 'decimal(38,18)'],
    ['STRING', 'varchar(65533)'],
    ['varchar(65533)', 'varchar(65533)'],
  ])('%s → %s', (written, normal) => expect(normalType(written)).toBe(normal))
})

describe('toDatetime', () => {
  it.each([
    [0n, '1970-01-01 00:00:00.000000'],
    [1n, '1970-01-01 00:00:00.000001'],
    [-1n, '1969-12-31 23:59:59.999999'],
    [-1_000_000n, '1969-12-31 23:59:59.000000'],
    [1_732_326_975_123_456n, '2024-11-23 01:56:15.123456'],
    [-62_167_219_200_000_000n, '0000-01-01 00:00:00.000000'],
    [253_402_300_799_999_999n, '9999-12-31 23:59:59.999999'],
  ])('%s µs → %s', (micros, text) => expect(toDatetime(micros)).toBe(text))

  it.each([-62_167_219_200_000_001n, 253_402_300_800_000_000n, 2n ** 63n - 1n, -(2n ** 63n)])('refuses %s', micros =>
    expect(() => toDatetime(micros)).toThrow(RangeError),
  )
})
