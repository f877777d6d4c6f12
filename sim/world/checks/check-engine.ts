import { isOpen } from '../../../core/order-lifecycle.ts'
import { payloadOf } from '../../../schemas/codec.ts'
import { select } from '../../../runtime/cql/testing/memory-tables.ts'
import type { World } from '../world.ts'
import { LogView } from './log-view.ts'

/** What the engine itself says: its journal against the log, its books against the store. */
export const checkEngine = (world: World): void => {
  checkJournal(world)
  checkBalances(world)
  // Whose life was given up with a Gap is not known any more.
  if (new LogView(world).update().every(({ kind }) => kind !== 'Gap')) checkOrders(world)
}

/** Every output that was not lost for ever stands in the log, once, in order, byte for byte. */
const checkJournal = (world: World): void => {
  const { broker, names, engine } = world
  const log = broker.log(names.topics.log, 0)
  const records = new LogView(world).update()
  const values = log.tail(1e9, log.high)
  let index = 0n
  for (const [at, record] of records.entries()) {
    if (record.kind === 'Gap') index = indexOf(world, record.at)
    if (record.kind !== 'Output' && record.kind !== 'Reference') continue
    index++
    const is = indexOf(world, record.at)
    const journaled = engine.journal[Number(is) - 1]
    if (is !== index)
      world.violate('the log is the journal', `output ${is} stands where ${index} belongs, at pos ${record.pos}`)
    else if (!journaled?.payload.equals(payloadOf(values[at]?.value ?? Buffer.alloc(0))))
      world.violate('the log is the journal', `output ${is} has other bytes in the log, at pos ${record.pos}`)
    index = is
  }
  if (index !== engine.sent) world.violate('the log is the journal', `it ends at output ${index} of ${engine.sent}`)
}

const indexOf = (
  { engine }: World,
  at: { readonly epoch: bigint; readonly random: bigint; readonly seq: bigint },
): bigint => {
  const row = engine.sessions.find(at)
  return row ? row.first + at.seq - 1n : -1n
}

const rowsOf = (world: World, cql: string) =>
  select(
    world.cluster.nodes.map(node => node.tables),
    cql,
    [],
  ).rows

const checkBalances = (world: World): void => {
  const { engine } = world
  const stored = new Map(
    rowsOf(world, 'SELECT user_id, asset, bal FROM balances').map(row => [
      `${row['user_id'] as bigint}/${row['asset'] as number}`,
      (row['bal'] as readonly bigint[]).slice(0, 3).join(),
    ]),
  )
  for (const { user, asset, available, frozen, version } of engine.engine.accounts.rows()) {
    const [is, should] = [stored.get(`${user}/${asset}`), [available, frozen, version].join()]
    if (is !== should)
      world.violate(
        "balances are the engine's",
        `user ${user}, asset ${asset}: the store has ${is}, the engine ${should}`,
      )
    stored.delete(`${user}/${asset}`)
  }
  for (const key of stored.keys())
    world.violate("balances are the engine's", `the store has a balance ${key} that the engine has not`)
}

type StoredOrder = { readonly order_id: bigint; readonly remaining: bigint; readonly state: string }

const checkOrders = (world: World): void => {
  const { truth } = world.engine
  const open = new Map(
    rowsOf(world, 'SELECT orders FROM open_orders')
      .flatMap(row => (row['orders'] as unknown as readonly [readonly StoredOrder[] | null, bigint])[0] ?? [])
      .map(row => [row.order_id, row]),
  )
  for (const { order, state, remaining } of truth.orders()) {
    const row = open.get(order)
    open.delete(order)
    const broken = (text: string): void => world.violate("open orders are the engine's", `order ${order} ${text}`)
    if (isOpen(state) !== (row !== undefined)) broken(`is ${state}, the store has it ${row ? row.state : 'not'}`)
    else if (row && (row.remaining !== remaining || row.state !== state))
      broken(`is ${state} with ${remaining}, in the store ${row.state} with ${row.remaining}`)
  }
  for (const order of open.keys())
    world.violate("open orders are the engine's", `order ${order} is unknown to the engine`)
}
