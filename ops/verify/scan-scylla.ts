import type { AssetId, Pos, UserId } from '../../core/ids.ts'
import type { CqlPort, CqlValue } from '../../runtime/cql/port.ts'
import type { RowShape } from './row-shape.ts'
import type { RowSink } from './row-sets.ts'
import { rowOf, scyllaRows, scyllaStates } from './scylla-shapes.ts'
import type { StateTable } from './state-table.ts'
import type { States } from './states.ts'

const pageRows = 2000

/** Rows of the tables that never change, up to the barrier. Each is read whole, once. */
export const scanScyllaRows = async (options: {
  readonly cql: CqlPort
  readonly barrier: Pos
  readonly sink: RowSink
  readonly wants: (shape: RowShape) => boolean
}): Promise<void> => {
  const { cql, barrier, sink, wants } = options
  for (const shape of Object.values(scyllaRows).filter(wants)) {
    const posColumn = shape === scyllaRows.intervals ? 'barrier_pos' : 'pos'
    const select = `SELECT ${shape.columns.join(', ')} FROM ${shape.table}`
    for await (const row of cql.scan(select, [], { pageRows }))
      if ((row[posColumn] as bigint) <= barrier) sink.found(shape, rowOf(shape, row))
  }
}

/** Rows of the tables that change, as they are now. Parked users come first: their cells may stand still. */
export const scanScyllaStates = async (cql: CqlPort, states: States): Promise<void> => {
  for await (const row of cql.scan('SELECT user_id FROM parked', [], { pageRows }))
    states.parked(row['user_id'] as UserId)
  for await (const row of cql.scan('SELECT user_id, asset, bal FROM balances', [], { pageRows })) {
    const [available, frozen, version, pos] = row['bal'] as readonly CqlValue[] as readonly bigint[]
    const [user, asset] = [row['user_id'] as UserId, row['asset'] as AssetId]
    states.foundCell({ user, asset, available, frozen, version, pos } as Parameters<States['foundCell']>[0])
  }
  for await (const row of cql.scan('SELECT user_id, bucket, counted FROM history_buckets', [], { pageRows })) {
    const [items, pos] = row['counted'] as readonly CqlValue[] as readonly [bigint, Pos]
    states.scylla.historyBuckets.found(rowOf(scyllaStates.historyBuckets, { ...row, items, pos }), pos)
  }
  for await (const row of cql.scan('SELECT user_id, slot, orders FROM open_orders', [], { pageRows })) {
    const [orders, pos] = row['orders'] as readonly CqlValue[] as readonly [CqlValue, Pos]
    states.scylla.openOrders.found(rowOf(scyllaStates.openOrders, { ...row, orders, pos }), pos)
  }
  const { balances: _, historyBuckets: __, openOrders: ___, ...others } = scyllaStates
  for (const name of Object.keys(others) as (keyof typeof others)[]) await scanState(cql, states.scylla[name])
}

const scanState = async (cql: CqlPort, table: StateTable): Promise<void> => {
  const { shape } = table
  for await (const row of cql.scan(`SELECT ${shape.columns.join(', ')} FROM ${shape.table}`, [], { pageRows }))
    table.found(rowOf(shape, row), (row['pos'] as Pos | undefined) ?? null)
}
