import { expect, test } from 'vitest'
import { pos, userId } from '../../core/ids.ts'
import { CqlTuple } from '../../runtime/cql/port.ts'
import { bucketRules } from '../../schemas/cql/placement.ts'
import type { Bucket } from './history-buckets.ts'
import { HistoryRows, type Pack } from './history-rows.ts'
import { orderOutput, orderUpdate } from './testing/user-output.ts'

const asTheyAre: Pack = row => row
const written = (rows: HistoryRows, table: string): (readonly unknown[])[] =>
  rows
    .drain()
    .flat()
    .filter(({ cql }) => cql.startsWith(`INSERT INTO ${table} `))
    .map(({ params }) => params)

test('a bucket that several records of a batch fill is written once, as it is at the end', () => {
  const rows = new HistoryRows({ items: 2, oneIn: 1, heavyItems: 64 }, asTheyAre)
  let bucket: Bucket | null = null
  for (const at of [10, 20, 30, 40, 50]) bucket = rows.take(orderOutput(at), bucket)
  expect(written(rows, 'history_buckets')).toEqual([
    [7n, 10n, new CqlTuple(2n, pos(20n)), 20n],
    [7n, 30n, new CqlTuple(2n, pos(40n)), 40n],
    [7n, 50n, new CqlTuple(1n, pos(50n)), 50n],
  ])
})

test('a bucket that is only read is not written, one that was loaded is written as it was', () => {
  const rows = new HistoryRows({ items: 2, oneIn: 1, heavyItems: 64 }, asTheyAre)
  const loaded = { from: pos(10n), items: 1n, pos: pos(20n) }
  expect(rows.take(orderOutput(15), loaded)).toBe(loaded)
  expect(written(rows, 'history_buckets')).toEqual([])
  rows.reassert(userId(7n), loaded)
  rows.take(orderOutput(20), loaded)
  expect(written(rows, 'history_buckets')).toEqual([[7n, 10n, new CqlTuple(1n, pos(20n)), 20n]])
})

test('rows of one partition key are one group', () => {
  const rows = new HistoryRows(bucketRules, asTheyAre)
  const bucket = rows.take(orderOutput(1, orderUpdate(0, 1n, 'New')), null)
  rows.take(orderOutput(2, orderUpdate(0, 1n, 'Cancelled')), bucket)
  // The order's events; history of the bucket; the user's bucket.
  expect(rows.drain().map(group => group.length)).toEqual([2, 2, 1])
})
