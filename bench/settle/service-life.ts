import type { Pos } from '../../core/ids.ts'
import { sumsOfMetrics } from '../../sim/pipeline/metrics-text.ts'
import type { ServiceName } from '../../sim/pipeline/services.ts'
import { begun, type Drained, follow, type Onlooker } from './drain.ts'
import { byLabel } from './metrics.ts'
import { BenchService, patient, type Place } from './service.ts'

/** pos of the last record of each partition. */
export type Ends = ReadonlyMap<number, Pos>
/** The same as the metrics have it. */
type Positions = ReadonlyMap<string, number>
type Counted = { readonly rows: number; readonly records: number }
export type DrainedRows = Drained & Counted

export type DrainRules = {
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
  readonly #rules: DrainRules
  #before: Counted = { rows: 0, records: 0 }

  private constructor(name: ServiceName, service: BenchService, rules: DrainRules) {
    this.#name = name
    this.#service = service
    this.#rules = rules
  }

  static async start(name: ServiceName, place: Place, rules: DrainRules): Promise<ServiceLife> {
    return new ServiceLife(name, await BenchService.start(name, patient(place)), rules)
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
    const { problems, afterwards } = this.#rules
    const before = this.#before
    service.goOn()
    let counted = before
    let from: Positions | null = null
    const progress = async () => {
      const text = await service.metrics()
      counted = this.#counted(text)
      const records = counted.records - before.records
      onlooker?.look(records, service.pid)
      const at = this.#positions(text)
      from ??= at
      return records === 0 ? 0 : shareDone({ from, at, ends })
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

  #counted(metrics: string): Counted {
    const sums = sumsOfMetrics(metrics)
    const count = (what: string): number => sums.get(`settle_${this.#name}_${what}_total`) ?? 0
    return { rows: count('rows'), records: count('records') }
  }

  /** settle tells of what the store acknowledged, load of what it committed. */
  #positions(metrics: string): Positions {
    return byLabel(metrics, `settle_${this.#name}_last_pos`, 'partition')
  }

  stop(): Promise<void> {
    return this.#service.stop()
  }

  /** For the way out after a failure. */
  kill(): Promise<void> {
    return this.#service.kill()
  }
}

/** Of the partition that is furthest behind. */
const shareDone = ({ from, at, ends }: { readonly from: Positions; readonly at: Positions; readonly ends: Ends }) => {
  const shares = [...ends].map(([partition, end]) => {
    const [first, now] = [from.get(`${partition}`) ?? 0, at.get(`${partition}`) ?? 0]
    return now >= Number(end) ? 1 : (now - first) / (Number(end) - first)
  })
  return Math.max(begun, Math.min(...shares))
}
