import { setTimeout as pause } from 'node:timers/promises'
import type { EngineOutput } from '../../core/events.ts'
import type { SqlPort, SqlRow } from '../../runtime/starrocks/sql-port.ts'

/** A look costs the server, which is measured, some milliseconds in each table. */
const lookEveryMs = 100

type Waiting = {
  readonly pos: bigint
  readonly output: EngineOutput
  readonly dueMs: number
  readonly seenIn: Set<Table>
}
type Table = (typeof tables)[number]['name']

const list = (values: Iterable<bigint | number>): string => [...new Set(values)].join(', ')

/** Rows that stay as they are: all of an output are there when there are as many of its pos. */
const counted = <Name extends string>(name: Name, rows: (output: EngineOutput) => number) => ({
  name,
  rows,
  query: (waiting: readonly Waiting[]): string =>
    `SELECT pos, COUNT(*) AS n FROM ${name} WHERE pos IN (${list(waiting.map(({ pos }) => pos))}) GROUP BY pos`,
  seen: (found: readonly SqlRow[]): ((waiting: Waiting) => boolean) => {
    const counts = new Map(found.map(({ pos, n }) => [BigInt(pos as string), Number(n)]))
    return ({ pos, output }) => counts.get(pos) === rows(output)
  },
})

/** Rows that change: each of an output is there when its row has the output's pos, or a later one's. */
const latest = <Name extends string>(
  name: Name,
  key: { readonly columns: readonly string[]; readonly of: (output: EngineOutput) => readonly string[] },
) => ({
  name,
  rows: (output: EngineOutput): number => key.of(output).length,
  query: (waiting: readonly Waiting[]): string => {
    const [first] = key.columns
    const wanted = waiting.flatMap(({ output }) => key.of(output)).map(text => BigInt(text.split('/')[0] as string))
    return `SELECT ${key.columns.join(', ')}, pos FROM ${name} WHERE ${first} IN (${list(wanted)})`
  },
  seen: (rows: readonly SqlRow[]): ((waiting: Waiting) => boolean) => {
    const found = new Map(
      rows.map(row => [key.columns.map(column => row[column]).join('/'), BigInt(row['pos'] as string)]),
    )
    return ({ pos, output }) => key.of(output).every(each => (found.get(each) ?? 0n) >= pos)
  },
})

const tables = [
  counted('trades', ({ trades }) => trades.length),
  counted('user_trades', ({ trades }) => 2 * trades.length),
  counted('order_events', ({ orders }) => orders.length),
  counted('ledger', ({ changes }) => changes.length),
  latest('orders', { columns: ['order_id'], of: ({ orders }) => orders.map(({ order }) => `${order}`) }),
  latest('balances', {
    columns: ['user_id', 'asset_id'],
    of: ({ changes }) => changes.map(({ user, asset }) => `${user}/${asset}`),
  }),
] as const

/** Looks for outputs in StarRocks, from the time they are due until every row of theirs can be queried. */
export class Looker {
  readonly #sql: SqlPort
  #waiting: Waiting[] = []
  readonly #latenciesMs: number[] = []
  readonly #looking: Promise<void>
  #more: 'may come' | 'none' = 'may come'

  constructor(sql: SqlPort) {
    this.#sql = sql
    this.#looking = this.#look()
    // Whoever asks for what was seen hears of it.
    this.#looking.catch(() => {})
  }

  expect(pos: bigint, output: EngineOutput, dueMs: number): void {
    const without = tables.filter(({ rows }) => rows(output) === 0).map(({ name }) => name)
    this.#waiting.push({ pos, output, dueMs, seenIn: new Set(without) })
  }

  /** Once all that was expected is there, after which no more is: how long after they were due. */
  async seen(): Promise<readonly number[]> {
    this.#more = 'none'
    await this.#looking
    return this.#latenciesMs
  }

  async #look(): Promise<void> {
    while (this.#more === 'may come' || this.#waiting.length > 0) {
      for (const table of tables) await this.#lookInto(table)
      this.#waiting = this.#waiting.filter(({ seenIn }) => seenIn.size < tables.length)
      await pause(lookEveryMs)
    }
  }

  async #lookInto({ name, query, seen }: (typeof tables)[number]): Promise<void> {
    const waiting = this.#waiting.filter(({ seenIn }) => !seenIn.has(name))
    if (waiting.length === 0) return
    const isSeen = seen(await this.#sql.query(query(waiting)))
    const nowMs = performance.now()
    for (const each of waiting.filter(isSeen)) {
      each.seenIn.add(name)
      if (each.seenIn.size === tables.length) this.#latenciesMs.push(nowMs - each.dueMs)
    }
  }
}
