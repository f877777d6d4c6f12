import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BalanceChange, CorrectionBody, OrderUpdate, Trade, UserRecord } from '../../core/events.ts'
import { assetId, pos, symbolId, userId } from '../../core/ids.ts'
import { csvRows, csvText } from './csv-text.ts'
import { type OutputRow, outputsTable } from './outputs-table.ts'
import { ArchiveFormatError, readTable, type Table } from './table.ts'
import { ledgerTable, ordersTable, referenceTable, tradesTable, userRows, userTables } from './user-tables.ts'

const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const nasty = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a,b', '"', 'a\r\nb', '\n', '\r', ' x ', 'é€𝄞'))
const small = fc.nat(1_000_000)
const place = { pos: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), idx: fc.nat(10_000), time: long }
const side = fc.constantFrom('Buy', 'Sell')

const trade = {
  trade: long,
  symbol: small,
  price: long,
  quantity: long,
  quote: long,
  buyer: long,
  seller: long,
  buyOrder: long,
  sellOrder: long,
  taker: side,
  buyFee: long,
  buyFeeAsset: small,
  sellFee: long,
  sellFeeAsset: small,
}
const order = {
  order: long,
  user: long,
  symbol: small,
  side,
  type: fc.constantFrom('Limit', 'Market'),
  timeInForce: fc.constantFrom('GoodTillCancel', 'ImmediateOrCancel'),
  price: long,
  quantity: long,
  filled: long,
  remaining: long,
  state: fc.constantFrom('New', 'PartiallyFilled', 'Filled', 'Cancelled', 'Rejected', 'Expired'),
  reason: nasty,
}
const change = {
  user: long,
  asset: small,
  deltaAvailable: long,
  deltaFrozen: long,
  available: long,
  frozen: long,
  version: long,
  reason: fc.constantFrom('Deposit', 'Withdrawal', 'Correction', 'Reserve', 'Release', 'Trade', 'Fee'),
  ref: long,
}
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const reference = {
  kind: fc.constantFrom('asset', 'symbol', 'house'),
  id: long,
  name: nasty,
  decimals: maybe(small),
  base: maybe(small),
  quote: maybe(small),
  lot: maybe(long),
  priceScale: maybe(small),
  quantityScale: maybe(small),
}
const bytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))
const output = fc.record({
  pos: place.pos,
  kind: fc.constantFrom<OutputRow['kind']>('Output', 'Tick', 'Note'),
  epoch: u64,
  random: u64,
  seq: u64,
  chain: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(array => Buffer.from(array)),
  time: maybe(long),
  record: bytes,
})

const textOf = <Row>(table: Table<Row>, rows: readonly Row[]): string =>
  csvText([table.columns, ...rows.map(row => table.toCells(row))])

/** Cut anywhere, characters and all, as a file's chunks are. */
const chunksOf = (text: string, size: number): Buffer[] => {
  const whole = Buffer.from(text)
  return Array.from({ length: Math.ceil(whole.length / size) }, (_, i) => whole.subarray(i * size, (i + 1) * size))
}

const roundTrip = async <Row>(table: Table<Row>, arbitrary: fc.Arbitrary<unknown>): Promise<void> =>
  fc.assert(
    fc.asyncProperty(fc.array(arbitrary as fc.Arbitrary<Row>, { maxLength: 8 }), fc.nat(50), async (rows, size) => {
      const read = await collect(readTable(table, chunksOf(textOf(table, rows), size + 1)))
      expect(read).toEqual(rows)
    }),
    { numRuns: 60 },
  )

describe('every table reads back what it wrote, whatever stands in its cells', () => {
  test('trades', () => roundTrip(tradesTable, fc.record({ ...place, ...trade })))
  test('orders', () => roundTrip(ordersTable, fc.record({ ...place, ...order })))
  test('ledger', () => roundTrip(ledgerTable, fc.record({ ...place, ...change, command: nasty })))
  test('reference', () => roundTrip(referenceTable, fc.record({ ...place, ...reference })))
  test('outputs', () => roundTrip(outputsTable, output))
})

test('lines end in CRLF, the header is snake_case, and quotes stand where RFC 4180 asks', () => {
  const row = { pos: 1n, idx: 0, time: 0n, user: 2n, asset: 1, deltaAvailable: -5n, deltaFrozen: 0n, available: 7n }
  const rest = { frozen: 0n, version: 1n, reason: 'Fee', ref: 3n, command: 'a "b",\nc' }
  const text = textOf(ledgerTable, [{ ...row, ...rest } as unknown as Parameters<typeof ledgerTable.toCells>[0]])
  expect(text).toBe(
    'pos,idx,time,user,asset,delta_available,delta_frozen,available,frozen,version,reason,ref,command\r\n' +
      '1,0,1970-01-01T00:00:00.000000Z,2,1,-5,0,7,0,1,Fee,3,"a ""b"",\nc"\r\n',
  )
})

test('a lone CR or LF in a cell is quoted too', () =>
  expect(csvText([['a\nb', 'a\rb', 'ab']])).toBe('"a\nb","a\rb",ab\r\n'))

describe('a file that is not what its table says is named', () => {
  const header = ledgerTable.columns.join()
  const good = '1,0,1970-01-01T00:00:00.000000Z,2,1,-5,0,7,0,1,Fee,3,'
  const cases = [
    ['', /empty/],
    ['pos,idx\r\n', /header is pos,idx/],
    [`${header}\r\n${good.replace('-5', '-05')}\r\n`, /row 1: ledger.deltaAvailable: "-05" is not a whole number/],
    [`${header}\r\n${good.replace('Fee', 'Tax')}\r\n`, /ledger.reason: "Tax" is not one of/],
    [`${header}\r\n${good.replace('00:00:00', '24:00:00')}\r\n`, /is not a UTC time/],
  ] as const
  test.each(cases)('%j', async (text, problem) => {
    await expect(collect(readTable(ledgerTable, [Buffer.from(text)]))).rejects.toThrow(problem)
    await expect(collect(readTable(ledgerTable, [Buffer.from(text)]))).rejects.toBeInstanceOf(ArchiveFormatError)
  })
  test('a row cut short is no row', () => expect(collect(csvRows([Buffer.from('a,b\r\n1\r\n')]))).rejects.toThrow())
  test('a failing source fails the reading', () =>
    expect(collect(csvRows(failingAfter(Buffer.from('a,b\r\n'))))).rejects.toThrow('disk gone'))
})

async function* failingAfter(chunk: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(chunk)
  throw new Error('disk gone')
}

describe('rows of a record', () => {
  const shared = { n: 1n, src: 2n, pos: pos(10n) }
  const share = (user: bigint): UserRecord => ({
    kind: 'UserOutput',
    ...shared,
    time: 20n,
    user: userId(user),
    trades: [{ index: 3, value: anyOf(trade, { buyer: 5n, seller: 6n }) as Trade }],
    orders: [{ index: 1, value: anyOf(order) as OrderUpdate }],
    changes: [{ index: 2, value: anyOf(change) as BalanceChange }],
  })

  test('a trade stands in the buyer’s record only', () => {
    expect(userRows(share(5n), 0).map(([table]) => table)).toEqual(['trades', 'orders', 'ledger'])
    expect(userRows(share(6n), 0).map(([table]) => table)).toEqual(['orders', 'ledger'])
  })
  test('a row carries pos, index and time of its output', () => {
    const [table, cells] = userRows(share(5n), 0)[0] as readonly ['trades', string[]]
    expect(userTables[table].fromCells(cells)).toMatchObject({ pos: 10n, idx: 3, time: 20n, buyer: 5n })
  })
  test('a correction is a ledger row that names its command', () => {
    const command = { id: 'c-1', who: 'w', why: 'y', time: 99n }
    const correction = anyOf(change) as CorrectionBody
    const [[, cells]] = userRows({ kind: 'UserCorrection', ...shared, command, correction }, 3) as [[string, string[]]]
    expect(ledgerTable.fromCells(cells)).toMatchObject({ pos: 10n, idx: 0, time: 99n, command: 'c-1', ref: 0n })
  })
  test('reference data is written by partition 0, barriers and redrives by nobody', () => {
    const reference = {
      assets: [{ asset: assetId(1), name: 'BTC', decimals: 8 }],
      symbols: [
        {
          symbol: symbolId(1),
          name: 'BTC/USD',
          base: assetId(1),
          quote: assetId(2),
          lot: 1n as never,
          priceScale: 2,
          quantityScale: 3,
        },
      ],
      house: userId(77n),
    }
    const record: UserRecord = { kind: 'UserReference', ...shared, time: 1n, reference }
    expect(userRows(record, 1)).toEqual([])
    const rows = userRows(record, 0).map(([, cells]) => referenceTable.fromCells(cells))
    expect(rows.map(({ kind, id, idx }) => [kind, id, idx])).toEqual([
      ['asset', 1n, 0],
      ['symbol', 1n, 1],
      ['house', 77n, 2],
    ])
    expect(userRows({ kind: 'Barrier', ...shared, previous: pos(0n), ns: [], flow: [] }, 0)).toEqual([])
  })
})

function anyOf(shape: Record<string, fc.Arbitrary<unknown>>, over?: object): object {
  const [value] = fc.sample(fc.record(shape), { numRuns: 1, seed: 7 })
  return { ...value, ...over }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
