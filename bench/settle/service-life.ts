import type { Pos } from '../../core/ids.ts'
import type { ServiceName } from '../../sim/pipeline/services.ts'
import { type Drained, follow, type Onlooker } from './drain.ts'
import { BenchService, type Place } from './service.ts'

/** The longest there is: a process that stands still stays a member. */
const sessionTimeoutMs = 300_000

/** pos of the last record of each partition. */
export type Ends = ReadonlyMap<number, Pos>
export type Counted = { readonly rows: number; readonly records: number }
export type DrainedRows = Drained & Counted

/** How one service tells by its metrics what it has done. */
export type Tale = {
  readonly counts: (metrics: string) => Counted
  readonly isDone: (metrics: string, ends: Ends) => boolean
  /** What would make a rate worthless. */
  readonly problems: (metrics: string) => readonly string[]
  /** Waited for after a drain, no part of its time. */
  readonly afterwards?: (ends: Ends) => Promise<void>
}

/**
 * One process of a service through all drains of a benchmark, as in production, where it lives for weeks: it has compiled
 * itself and knows what it keeps in memory. Between two drains it stands still (SIGSTOP), since whatever is measured then
 * has the machine to itself, and it must not take what is being written for the next.
 */
export class ServiceLife {
  readonly #name: ServiceName
  readonly #service: BenchService
  readonly #tale: Tale
  #before: Counted = { rows: 0, records: 0 }

  private constructor(name: ServiceName, service: BenchService, tale: Tale) {
    this.#name = name
    this.#service = service
    this.#tale = tale
  }

  static async start(name: ServiceName, place: Place, tale: Tale): Promise<ServiceLife> {
    const servers = { ...place.servers, KAFKA_SESSION_TIMEOUT_MS: `${sessionTimeoutMs}` }
    return new ServiceLife(name, await BenchService.start(name, { ...place, servers }), tale)
  }

  /**
   * What `user.outputs` has gained, up to the records that end it.
   * @throws Error when the service did not do it well, or not in time
   */
  async drain(
    ends: Ends,
    { withinMs, onlooker }: { readonly withinMs: number; readonly onlooker?: Onlooker },
  ): Promise<DrainedRows> {
    const service = this.#service
    const { counts, isDone, problems, afterwards } = this.#tale
    const before = this.#before
    service.goOn()
    let counted = before
    const progress = async () => {
      const text = await service.metrics()
      counted = counts(text)
      const records = counted.records - before.records
      onlooker?.look(records, service.pid)
      if (records === 0) return 'nothing'
      return isDone(text, ends) ? 'all' : 'some'
    }
    const drained = await follow(service, { progress, withinMs })
    await afterwards?.(ends)
    const wrong = problems(await service.metrics())
    if (wrong.length > 0)
      throw new Error(`${this.#name} did not do it well, so its rate says nothing: ${wrong.join(', ')}`)
    service.standStill()
    this.#before = counted
    return { ...drained, rows: counted.rows - before.rows, records: counted.records - before.records }
  }

  async stop(): Promise<void> {
    this.#service.goOn()
    await this.#service.stop()
  }

  /** For the way out after a failure. */
  kill(): Promise<void> {
    return this.#service.kill()
  }
}
