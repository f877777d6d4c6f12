import type { Barrier } from '../../../core/events.ts'
import { pos } from '../../../core/ids.ts'
import { Pass } from '../../../ops/verify/pass.ts'
import { differenceText } from '../../../ops/verify/report.ts'
import type { Row, RowShape } from '../../../ops/verify/row-shape.ts'
import { Tally } from '../../../ops/verify/tally.ts'
import type { CqlPort, CqlRow } from '../../../runtime/cql/port.ts'
import { tableKeys, textOf } from '../../../runtime/cql/testing/cql-text.ts'
import { liveRows, type MemoryTables, select, shownRow } from '../../../runtime/cql/testing/memory-tables.ts'
import { checkerClient } from '../places/broker.ts'
import type { World } from '../world.ts'

/**
 * What `settle verify` proves, with its code: log = user.outputs = store, as two of the replicas have it. Each other two
 * must have the same.
 */
export const checkStores = async (world: World, barrier: Barrier): Promise<void> => {
  const nodes = world.dice('checks').shuffled(world.cluster.nodes)
  const [one, two, three] = nodes.map(node => node.tables) as [MemoryTables, MemoryTables, MemoryTables]
  await checkPair(world, barrier, [one, two])
  for (const table of tableKeys().keys())
    for (const pair of [
      [two, three],
      [one, three],
    ]) {
      const [expected, found] = [rowsOf([one, two], table), rowsOf(pair, table)]
      const row = expected.find(each => !found.includes(each)) ?? found.find(each => !expected.includes(each))
      if (expected.join('\n') !== found.join('\n'))
        world.violate('each quorum has the same', `${table}: two replicas have another row than two others: ${row}`)
    }
}

const rowsOf = (pair: readonly MemoryTables[], table: string): readonly string[] =>
  [...liveRows(pair, table)].map(row => textOf(shownRow(row))).sort()

const checkPair = async (world: World, barrier: Barrier, pair: readonly MemoryTables[]): Promise<void> => {
  const { broker, names, weather, timeline } = world
  const tally = new Tally({ maxListed: 3 })
  const rows = new RowCounts()
  const none = new Map()
  const pass = new Pass({
    kafka: broker.client(checkerClient),
    cql: readerOf(pair),
    sql: null,
    archiveDir: null,
    names,
    partitions: weather.partitions,
    clock: timeline,
    common: { barrier, readers: { settle: none, load: none, archive: none, archiveLog: none }, lastOutput: pos(0n) },
    tally,
    sink: rows,
    wants: () => true,
  })
  await pass.everything()
  for (const { place, table, differences, listed } of tally.tables())
    if ((place === 'Kafka' || place === 'ScyllaDB') && differences > 0)
      world.violate(
        'settle verify finds no difference',
        `${place} ${table}: ${differences}: ${listed.map(differenceText).join('; ')}`,
      )
  for (const text of rows.differences()) world.violate('settle verify finds no difference', text)
}

/** Rows that the log calls for, less those that the store has. */
class RowCounts {
  readonly #counts = new Map<string, number>()

  expected(shape: RowShape, row: Row): void {
    this.#add(shape, row, 1)
  }

  found(shape: RowShape, row: Row): void {
    this.#add(shape, row, -1)
  }

  *differences(): Generator<string> {
    for (const [text, count] of this.#counts)
      if (count !== 0) yield `${count > 0 ? 'missing' : 'should not be there, or is another'}: ${text}`
  }

  #add({ place, table }: RowShape, row: Row, count: number): void {
    if (place !== 'ScyllaDB') return
    const text = `${table} ${row.join(' ')}`
    this.#counts.set(text, (this.#counts.get(text) ?? 0) + count)
  }
}

const readerOf = (pair: readonly MemoryTables[]): CqlPort => {
  const read = (cql: string): readonly CqlRow[] => select(pair, cql, []).rows
  return {
    query: cql => Promise.resolve(read(cql)),
    async *scan(cql) {
      await Promise.resolve()
      yield* read(cql)
    },
  } as Pick<CqlPort, 'query' | 'scan'> as CqlPort
}
