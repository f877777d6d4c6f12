import { setTimeout as pause } from 'node:timers/promises'
import type { EngineOutput } from '../../core/events.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'

/** A look costs the server, which is measured, some milliseconds. */
const lookEveryMs = 100

type Waiting = { readonly pos: bigint; readonly output: EngineOutput; readonly dueMs: number }

/** What a table must tell of an output: for each key a value that is at least so high. */
type Wanted = readonly (readonly [key: string, atLeast: bigint])[]
type Table = { readonly query: (waiting: readonly Waiting[]) => string; readonly wanted: (waiting: Waiting) => Wanted }

const list = (values: Iterable<bigint | number>): string => [...new Set(values)].join(', ')

/** Rows that stay as they are: all of an output are there when there are as many of its pos. */
const counted = (name: string, rows: (output: EngineOutput) => number): Table => ({
  query: waiting => `SELECT '${name}' AS tbl, CAST(pos AS VARCHAR) AS k, COUNT(*) AS v FROM ${name}
    WHERE pos IN (${list(waiting.map(({ pos }) => pos))}) GROUP BY pos`,
  wanted: ({ pos, output }) => (rows(output) === 0 ? [] : [[`${name} ${pos}`, BigInt(rows(output))]]),
})

/** Rows that change: each of an output is there when its row has the output's pos, or a later one's. */
const latest = (
  name: string,
  key: { readonly columns: readonly string[]; readonly of: (output: EngineOutput) => readonly string[] },
): Table => ({
  query: waiting => {
    const wanted = waiting.flatMap(({ output }) => key.of(output)).map(text => BigInt(text.split('/')[0] as string))
    return `SELECT '${name}' AS tbl, CONCAT_WS('/', ${key.columns.join(', ')}) AS k, pos AS v FROM ${name}
      WHERE ${key.columns[0]} IN (${list(wanted)})`
  },
  wanted: ({ pos, output }) => key.of(output).map(each => [`${name} ${each}`, pos]),
})

/** load begins the smallest last: an output that is not in it yet is looked for in no other. */
const first = [latest('orders', { columns: ['order_id'], of: ({ orders }) => orders.map(({ order }) => `${order}`) })]
const others = [
  counted('trades', ({ trades }) => trades.length),
  counted('user_trades', ({ trades }) => 2 * trades.length),
  counted('order_events', ({ orders }) => orders.length),
  latest('balances', {
    columns: ['user_id', 'asset_id'],
    of: ({ changes }) => changes.map(({ user, asset }) => `${user}/${asset}`),
  }),
  counted('ledger', ({ changes }) => changes.length),
]

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
    this.#waiting.push({ pos, output, dueMs })
  }

  /** Once all that was expected is there, after which no more is: how long after they were due. */
  async seen(): Promise<readonly number[]> {
    this.#more = 'none'
    await this.#looking
    return this.#latenciesMs
  }

  async #look(): Promise<void> {
    while (this.#more === 'may come' || this.#waiting.length > 0) {
      const seen = await this.#in(others, await this.#in(first, this.#waiting))
      const nowMs = performance.now()
      this.#latenciesMs.push(...seen.map(({ dueMs }) => nowMs - dueMs))
      const gone = new Set(seen)
      this.#waiting = this.#waiting.filter(each => !gone.has(each))
      await pause(lookEveryMs)
    }
  }

  /** Which of them have all their rows in all of the tables: one statement, since a busy server takes its time for each. */
  async #in(tables: readonly Table[], waiting: readonly Waiting[]): Promise<readonly Waiting[]> {
    const asked = tables.filter(({ wanted }) => waiting.some(each => wanted(each).length > 0))
    if (asked.length === 0) return waiting
    const rows = await this.#sql.query(asked.map(({ query }) => query(waiting)).join(' UNION ALL '))
    const found = new Map(rows.map(({ tbl, k, v }) => [`${tbl} ${k}`, BigInt(v as string)]))
    const isThere = ([key, atLeast]: Wanted[number]): boolean => (found.get(key) ?? -1n) >= atLeast
    return waiting.filter(each => tables.every(({ wanted }) => wanted(each).every(isThere)))
  }
}
