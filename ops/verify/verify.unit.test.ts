import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { UserRecord } from '../../core/events.ts'
import { pos as asPos } from '../../core/ids.ts'
import type { CqlValue } from '../../runtime/cql/port.ts'
import { namesOf } from '../../runtime/names.ts'
import { decodeLogRecord, decodeUserRecord, encodeLogRecord, encodeUserRecord } from '../../schemas/codec.ts'
import type { StoredRow, Tables } from '../testing/small-stores.ts'
import { SmallWorld } from '../testing/small-world.ts'
import { differenceText, reportText } from './report.ts'
import { scyllaRows, scyllaStates } from './scylla-shapes.ts'
import { starrocksRows, starrocksStates } from './starrocks-shapes.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'settle-verify-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const told = async (world: SmallWorld): Promise<readonly string[]> =>
  (await world.verify()).tables.flatMap(({ place, table, listed }) =>
    listed.map(each => `${place} ${table}: ${differenceText(each)}`),
  )

describe('places that are right', () => {
  test('are equal when all is read', async () => {
    const result = await new SmallWorld({ dir, last: 'ticks' }).verify()
    expect(result).toMatchObject({ differences: 0, coversLastOutput: true, parkedBalances: 0 })
    expect(result.tables.filter(({ rows }) => rows === 0)).toEqual([])
  })

  test('are equal while they go on behind the barrier', async () => {
    const world = new SmallWorld({ dir, last: 'trading' })
    expect(await told(world)).toEqual([])
    expect(await world.verify()).toMatchObject({ differences: 0, coversLastOutput: false })
  })

  test('are equal without what is left out, whatever is in it, and the rest still counts', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    for (const rows of world.stores.starrocks.values()) rows.length = 0
    for (const folder of readdirSync(dir)) rmSync(join(dir, folder), { recursive: true })
    const skip = { sql: null, archiveDir: null } as const
    const result = await world.verify(skip)
    expect(result).toMatchObject({ differences: 0, leftOut: ['StarRocks', 'CSV'] })
    expect(new Set(result.tables.map(({ place }) => place))).toEqual(new Set(['Kafka', 'ScyllaDB']))
    expect(reportText('demo', result)).toMatch(/verify: equal, StarRocks and CSV not looked at$/)
    expect((await world.verify({ archiveDir: null })).differences).toBeGreaterThan(0)
    expect((await world.verify({ sql: null })).differences).toBeGreaterThan(0)
    world.stores.scylla.get('orders')?.pop()
    expect((await world.verify(skip)).differences).toBe(1)
  })

  test('are equal without ScyllaDB, whatever is in it, and the others still count', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    for (const rows of world.stores.scylla.values()) rows.length = 0
    world.kafka.groups.delete(namesOf('demo').groups.settle)
    const skip = { cql: null } as const
    const result = await world.verify(skip)
    expect(result).toMatchObject({ differences: 0, coversLastOutput: true, leftOut: ['ScyllaDB'] })
    expect(new Set(result.tables.map(({ place }) => place))).toEqual(new Set(['Kafka', 'StarRocks', 'CSV']))
    world.stores.starrocks.get('balances')?.pop()
    expect((await world.verify(skip)).differences).toBe(1)
    await expect(world.verify({ cql: null, sql: null, archiveDir: null })).rejects.toThrow('every place is left out')
  })

  test('are the same places whose every column is compared', () => {
    const compared = [scyllaRows, scyllaStates, starrocksRows, starrocksStates].flatMap(group => Object.values(group))
    const world = new SmallWorld({ dir, last: 'ticks' })
    const tables = [...world.stores.scylla.keys(), ...world.stores.starrocks.keys()]
    expect(new Set(compared.map(({ table }) => table).concat('parked'))).toEqual(new Set(tables))
  })
})

/** Another value of the same kind. */
const other = (value: CqlValue): CqlValue => {
  if (Array.isArray(value)) return (value as CqlValue[]).map((each, i) => (i === 0 ? other(each) : each))
  if (typeof value === 'bigint') return value - 1n
  if (typeof value === 'number') return value + 1
  if (value === null) return '1'
  const text = value as string
  return /^-?\d/.test(text) ? text.replace(/\d(?=\D*$)/, digit => `${(Number(digit) + 1) % 10}`) : `${text}x`
}

/** Columns that hold several values at once, and the first of them as verify names it. */
const cells = new Map([
  ['ScyllaDB balances', { column: 'bal', first: 'available' }],
  ['ScyllaDB history_buckets', { column: 'counted', first: 'items' }],
  ['ScyllaDB open_orders', { column: 'orders', first: 'orders' }],
])

describe.each([
  ['ScyllaDB', (world: SmallWorld): Tables => world.stores.scylla, { ...scyllaRows, ...scyllaStates }],
  ['StarRocks', (world: SmallWorld): Tables => world.stores.starrocks, { ...starrocksRows, ...starrocksStates }],
] as const)('%s', (place, tablesOf, shapes) => {
  describe.each(Object.values(shapes).map(shape => [shape.table, shape] as const))('%s', (table, shape) => {
    const rowsOf = (world: SmallWorld): StoredRow[] => tablesOf(world).get(table) as StoredRow[]
    /** Those that a reader has: not what stands at the end, nor whose the database is. */
    const settledRows = (world: SmallWorld): StoredRow[] =>
      rowsOf(world)
        .filter(row => table !== 'stream_meta' || row['name'] === 'house')
        .slice(0, 20)
    const name = `${place} ${table}: `

    test('a changed value is named, in every column', async () => {
      const world = new SmallWorld({ dir, last: 'ticks' })
      const rows = settledRows(world)
      const cell = cells.get(`${place} ${table}`)
      const columns = cell ? [cell.column] : shape.columns.slice(shape.key)
      for (const [i, column] of columns.entries()) {
        const row = rows[i % rows.length] as StoredRow
        row[column] = other(row[column] as CqlValue)
      }
      const all = await told(world)
      expect(all.every(each => each.startsWith(name))).toBe(true)
      for (const column of columns) expect(all.join('\n')).toContain(`: ${cell ? cell.first : column} should be `)
    })

    test('a row that is missing, and one that is there too much', async () => {
      const world = new SmallWorld({ dir, last: 'ticks' })
      const rows = rowsOf(world)
      const [gone] = rows.splice(rows.indexOf(settledRows(world)[0] as StoredRow), 1) as [StoredRow]
      const added = { ...gone }
      const key = shape.columns[0] as string
      added[key] = typeof gone[key] === 'bigint' ? gone[key] - 12_345n : `${gone[key] as string}9`
      rows.push(added)
      const all = await told(world)
      expect(all.filter(each => each.includes('missing'))).toHaveLength(1)
      expect(all.filter(each => each.includes('should not be there'))).toHaveLength(1)
      expect(all).toHaveLength(2)
      expect(all.every(each => each.startsWith(name))).toBe(true)
    })
  })
})

describe('a row that changed behind the barrier', () => {
  test.each([
    ['balances', 'bal'],
    ['open_orders', 'orders'],
  ])('of ScyllaDB %s is compared at its own pos', async (table, column) => {
    const world = new SmallWorld({ dir, last: 'trading' })
    const { barrier } = await world.verify()
    const posOf = (row: StoredRow): bigint => (row[column] as bigint[]).at(-1) as bigint
    const row = (world.stores.scylla.get(table) as StoredRow[]).find(each => posOf(each) > barrier.pos) as StoredRow
    row[column] = other(row[column] as CqlValue)
    expect((await told(world)).join()).toContain(`ScyllaDB ${table}: user_id=${row['user_id'] as bigint}`)
  })

  test('of StarRocks orders too', async () => {
    const world = new SmallWorld({ dir, last: 'trading' })
    const { barrier } = await world.verify()
    const rows = world.stores.starrocks.get('orders') as StoredRow[]
    const row = rows.find(each => (each['pos'] as bigint) > barrier.pos) as StoredRow
    const state = row['state'] as string
    row['state'] = 'Expired'
    expect(await told(world)).toEqual([
      `StarRocks orders: order_id=${row['order_id'] as string}: state should be ${state}, found Expired`,
    ])
  })
})

describe('a parked user', () => {
  const stale = (world: SmallWorld): StoredRow => {
    const cells = world.stores.scylla.get('balances') as StoredRow[]
    const cell = cells.find(each => each['user_id'] === 1n && each['asset'] === 1) as StoredRow
    // As it was after the first deposit.
    cell['bal'] = [1_000_000n, 0n, 1n, world.log[2]?.pos as bigint]
    return cell
  }

  test('may stand still at a version that the log has', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    stale(world)
    world.stores.scylla.set('parked', [{ user_id: 1n }])
    expect(await world.verify()).toMatchObject({ differences: 0, parkedBalances: 1 })
  })

  test('may not have another value there, and nobody else may stand still', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    const cell = stale(world)
    expect((await world.verify()).differences).toBeGreaterThan(0)
    world.stores.scylla.set('parked', [{ user_id: 1n }])
    cell['bal'] = [999_999n, 1n, 1n, world.log[2]?.pos as bigint]
    expect((await world.verify()).differences).toBeGreaterThan(0)
  })
})

describe('the archive', () => {
  const filesIn = (table: string): readonly string[] =>
    (readdirSync(dir, { recursive: true, encoding: 'utf8' }) as readonly string[])
      .filter(name => name.includes(`/${table}/`) && /\.(csv|json)$/.test(name))
      .sort()
      .map(name => join(dir, name))
  const first = (table: string): string => filesIn(table)[0] as string

  test.each(['trades', 'orders', 'ledger', 'reference', 'outputs'])('one changed byte of %s', async table => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    const text = readFileSync(first(table), 'utf8')
    writeFileSync(first(table), text.replace(/7(?=\D*\r\n$)|1(?=\D*\r\n$)|[0-9](?=[^0-9]*\r\n$)/, '8'))
    const all = (await told(world)).join('\n')
    expect(all).toContain('its SHA-256 is')
    expect(all).toContain(`CSV ${table}: `)
  })

  test('a file that is gone', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    unlinkSync(first('trades'))
    expect((await told(world)).join('\n')).toMatch(/CSV files: .*trades.*missing, expected the file/)
  })

  test('a window that is gone, first or last', async () => {
    for (const at of [0, -1]) {
      const world = new SmallWorld({ dir, last: 'ticks' })
      unlinkSync(filesIn('windows').at(at) as string)
      const all = (await told(world)).join('\n')
      expect(all).toMatch(/CSV windows: .*(a window is missing or foreign|the archive committed)/)
      expect(all).toContain('a file that no sidecar names')
      rmSync(dir, { recursive: true })
    }
  })

  test('a sidecar that was changed, with its file', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    writeFileSync(first('windows'), readFileSync(first('windows'), 'utf8').replace(/"rows": "\d+"/, '"rows": "99"'))
    const all = (await told(world)).join('\n')
    expect(all).toMatch(/CSV windows: .*its hash is/)
    expect(all).toContain('its sidecar says 99')
  })

  test('foreign files, and not the parts of an open window', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    appendFileSync(join(first('trades'), '..', 'stray.csv'), 'x')
    appendFileSync(join(first('trades'), '..', 'k.csv.one-1234.part'), 'x')
    expect(await told(world)).toEqual(['CSV files: stray.csv: should not be there, found a file that no sidecar names'])
  })

  test('a folder that is not there is an error, never equal', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    rmSync(dir, { recursive: true })
    await expect(world.verify()).rejects.toMatchObject({ code: 'archive-unreadable' })
  })
})

describe('engine.outputs', () => {
  const topic = 'demo.engine.outputs'
  const brokenAt = async (world: SmallWorld, at: number, problem: string): Promise<void> => {
    const all = await told(world)
    expect(all.join('\n')).toContain(`Kafka engine.outputs: offset=${at} pos=${world.log[at]?.pos}: ${problem}`)
  }
  const rewrite = (world: SmallWorld, at: number, change: (record: never) => unknown): void => {
    const records = world.kafka.recordsOf(topic, 0)
    const record = records[at] as (typeof records)[number]
    const changed = change(decodeLogRecord(record.value) as never) as Parameters<typeof encodeLogRecord>[0]
    records[at] = { ...record, value: encodeLogRecord(changed) }
  }

  test('an output whose bytes were changed', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    rewrite(world, 5, (record: { output: { time: bigint } }) => ({
      ...record,
      output: { ...record.output, time: record.output.time + 1n },
    }))
    await brokenAt(world, 5, 'the chain of session 7/42 seq 5 is not the hash of its bytes')
  })

  test('a pos that does not rise, a seq that jumps, a session that goes back', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    rewrite(world, 4, record => ({ ...(record as object), pos: world.log[3]?.pos }))
    rewrite(world, 6, (record: { at: { seq: bigint } }) => ({ ...record, at: { ...record.at, seq: 9n } }))
    rewrite(world, 0, (record: { at: object }) => ({ ...record, at: { ...record.at, epoch: 0n } }))
    const all = (await told(world)).join('\n')
    expect(all).toContain('pos does not rise')
    expect(all).toContain('session 7/42 seq 9 follows session 7/42 seq 5: outputs are missing or doubled')
    expect(all).toContain('epochs only rise')
  })

  test('bytes that do not decode, and money from nowhere', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    const records = world.kafka.recordsOf(topic, 0)
    records[7] = { ...(records[7] as (typeof records)[number]), value: Buffer.from('nonsense') }
    const all = (await told(world)).join('\n')
    expect(all).toContain('Kafka engine.outputs: offset=7: ')
    expect(all).toContain('Kafka engine.outputs: naive ledger: ')
  })
})

describe('user.outputs', () => {
  const topic = 'demo.user.outputs'
  const find = (world: SmallWorld, is: (record: UserRecord) => boolean) => {
    for (let partition = 0; ; partition++) {
      const records = world.kafka.recordsOf(topic, partition)
      const at = records.findIndex(({ value }) => is(decodeUserRecord(value)))
      if (at >= 0) return { partition, records, at, record: decodeUserRecord(records[at]?.value as Buffer) }
    }
  }
  const trade = (record: UserRecord): boolean => record.kind === 'UserOutput' && record.trades.length > 0

  test('a share that was changed is named with what differs', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    const { partition, records, at, record } = find(world, trade)
    const value = encodeUserRecord({ ...record, trades: [] } as unknown as UserRecord)
    records[at] = { ...(records[at] as (typeof records)[number]), value }
    expect((await told(world)).join('\n')).toContain(
      `Kafka user.outputs: partition=${partition} offset=${records[at]?.offset}: trades should be [`,
    )
  })

  test('a share that is missing leaves a hole in n', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    const { records, at } = find(world, trade)
    records.splice(at, 1)
    const all = (await told(world)).join('\n')
    expect(all).toMatch(/missing, expected UserOutput of user/)
    expect(all).toMatch(/n is \d+ where \d+ belongs/)
  })

  test('a foreign record at the very end', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    const { partition, record } = find(world, trade)
    const n = BigInt(world.users.filter(each => each.partition === partition).length) + 1n
    world.kafka.append(topic, partition, { value: encodeUserRecord({ ...record, n }), timestampMs: 0n })
    const all = await told(world)
    expect(all).toHaveLength(1)
    expect(all[0]).toContain('should not be there, found UserOutput of user')
    world.kafka.append(topic, partition, { value: Buffer.from('junk'), timestampMs: 0n })
    expect((await told(world)).length).toBe(2)
    const unborn = encodeUserRecord({ ...record, n: n + 1n, src: BigInt(world.log.length) + 5n })
    world.kafka.append(topic, partition, { value: unborn, timestampMs: 0n })
    expect((await told(world)).length).toBe(3)
  })

  test('a barrier with another flow, or missing in one partition', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    const { partition, records, at, record } = find(world, ({ kind }) => kind === 'Barrier')
    const value = encodeUserRecord({ ...record, flow: [], previous: asPos(3n) } as unknown as UserRecord)
    records[at] = { ...(records[at] as (typeof records)[number]), value }
    const all = (await told(world)).join('\n')
    expect(all).toContain(`partition=${partition} offset=${records[at]?.offset}: flow should be [`)
    expect(all).toContain('previous should be 0, found 3')
    records.splice(at, 1)
    expect((await told(world)).join('\n')).toContain('Barrier')
  })

  test('a partition that was read to an earlier end, behind the barrier, is no difference', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    const records = world.kafka.recordsOf(topic, 2)
    expect(decodeUserRecord(records.at(-1)?.value as Buffer).kind).toBe('Barrier')
    records.pop()
    expect(await told(world)).toEqual([])
    records.splice(-4, 4)
    expect((await told(world)).join('\n')).toContain('missing, expected Barrier')
  })

  test('a record under another key or time', async () => {
    const world = new SmallWorld({ dir, last: 'ticks' })
    const { records, at } = find(world, trade)
    records[at] = { ...(records[at] as (typeof records)[number]), key: null, timestampMs: 1n }
    const all = (await told(world)).join('\n')
    expect(all).toContain('its key is null')
    expect(all).toContain('its time in Kafka is 1 ms')
  })
})
