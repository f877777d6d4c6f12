import type { Catalog } from './catalog.ts'
import { type QueryContext, translateQuery } from '../sql/select-translation.ts'
import { SqlError } from '../sql/sql-error.ts'
import type { MaterializedViewDefinition } from '../sql/statement.ts'

interface Schedule {
  readonly timer: NodeJS.Timeout
  dataVersion: number
  lastError: string | undefined
}

/**
 * Materialized views as real tables, rebuilt whole on their timers, one at a time. A view whose base has not changed
 * since is left as it is: the counter counts changes of any table, so it errs towards a rebuild.
 */
export class MaterializedViews implements AsyncDisposable {
  readonly #catalog: Catalog
  readonly #schedules = new Map<string, Schedule>()
  #running: Promise<void> = Promise.resolve()
  #closed = false

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  /** Takes up the timers of the views that the catalog knows. */
  start(): void {
    for (const database of this.#catalog.databases) {
      for (const [name, relation] of this.#catalog.relations(database)) {
        if (relation.kind === 'materialized view') this.#schedule(database, name, relation.definition)
      }
    }
  }

  /** Builds the view at once, so that a bad query is refused here and not on a timer. */
  async create(database: string, name: string, definition: MaterializedViewDefinition): Promise<void> {
    await this.#rebuild(database, name, definition)
    this.#schedule(database, name, definition)
  }

  /** @throws SqlError when there is no such view, or its query fails now */
  async refresh(database: string, name: string): Promise<void> {
    const relation = this.#catalog.relation(database, name)
    if (relation.kind !== 'materialized view') {
      throw new SqlError(1064, `Materialized view '${database}.${name}' is not found`)
    }
    const schedule = this.#schedules.get(key(database, name))
    const dataVersion = this.#catalog.dataVersion
    await this.#rebuild(database, name, relation.definition)
    if (schedule) schedule.dataVersion = dataVersion
  }

  /** The last refresh's error, '' when it went well. */
  lastError(database: string, name: string): string {
    return this.#schedules.get(key(database, name))?.lastError ?? ''
  }

  forget(database: string, name: string): void {
    const schedule = this.#schedules.get(key(database, name))
    if (schedule) clearInterval(schedule.timer)
    this.#schedules.delete(key(database, name))
  }

  forgetDatabase(database: string): void {
    const prefix = key(database, '')
    for (const name of this.#schedules.keys())
      if (name.startsWith(prefix)) this.forget(database, name.slice(prefix.length))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const { timer } of this.#schedules.values()) clearInterval(timer)
    await this.#running.catch(() => undefined)
  }

  #schedule(database: string, name: string, definition: MaterializedViewDefinition): void {
    this.forget(database, name)
    if (definition.refreshEveryMs === 0) return
    const tick = () => void this.#tick(database, name).catch(() => undefined)
    const timer = setInterval(tick, Math.min(definition.refreshEveryMs, 2 ** 31 - 1))
    timer.unref()
    this.#schedules.set(key(database, name), { timer, dataVersion: -1, lastError: undefined })
  }

  async #tick(database: string, name: string): Promise<void> {
    const schedule = this.#schedules.get(key(database, name))
    if (!schedule || schedule.dataVersion === this.#catalog.dataVersion) return
    try {
      await this.refresh(database, name)
      schedule.lastError = undefined
    } catch (error) {
      schedule.lastError = (error as Error).message
    }
  }

  #rebuild(database: string, name: string, definition: MaterializedViewDefinition): Promise<void> {
    const run = async () => {
      if (this.#closed) throw new SqlError(1064, 'the StarRocks stand-in is closing')
      const sql = translateQuery(definition.query, definitionContext(database))
      await this.#catalog.locked(database, name, () =>
        this.#catalog.rebuildMaterializedView(database, name, { definition, sql }),
      )
    }
    const mine = this.#running.then(run, run)
    this.#running = mine.catch(() => undefined)
    return mine
  }
}

const key = (database: string, name: string): string => `${database}.${name}`

/** What a view's query may see of a session: its own database and nothing else. */
export const definitionContext = (database: string): QueryContext => ({
  database,
  user: 'root',
  connectionId: 0,
  variable: name => {
    throw new SqlError(1064, `@@${name} has no value in the query of a view`)
  },
})
