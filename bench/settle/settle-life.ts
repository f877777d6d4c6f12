import { setTimeout as pause } from 'node:timers/promises'
import type { Pos } from '../../core/ids.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { fromCommitted } from '../../runtime/reader/progress.ts'
import { sumsOfMetrics } from '../../sim/pipeline/metrics-text.ts'
import { type Drained, follow, type Onlooker, pollMs } from './drain.ts'
import { byLabel } from './metrics.ts'
import { BenchService, type Place } from './service.ts'

const commitWithinMs = 60_000
/** The longest there is: a process that stands still stays a member. */
const sessionTimeoutMs = 300_000

export type Settled = Drained & { readonly rows: number; readonly records: number }

type Stream = { readonly kafka: KafkaPort; readonly names: StreamNames }
type Counted = { readonly rows: number; readonly records: number }

/**
 * One process of settle through all drains of a benchmark, as in production, where it lives for weeks: it has compiled
 * itself and knows its wallets. Between two drains it stands still (SIGSTOP), since whatever is measured then has the
 * machine to itself, and it must not take what is being written for the next.
 */
export class SettleLife {
  readonly #service: BenchService
  readonly #stream: Stream
  #before: Counted = { rows: 0, records: 0 }

  private constructor(service: BenchService, stream: Stream) {
    this.#service = service
    this.#stream = stream
  }

  static async start(place: Place, stream: Stream): Promise<SettleLife> {
    const servers = { ...place.servers, KAFKA_SESSION_TIMEOUT_MS: `${sessionTimeoutMs}` }
    return new SettleLife(await BenchService.start('settle', { ...place, servers }), stream)
  }

  /**
   * What `user.outputs` has gained, up to the barriers that end it: all of it acknowledged by the store. The commits of
   * offsets that follow are waited for, and are no part of the time.
   * @throws Error when a user was parked, an interval is not conserved, or anything else was wrong
   */
  async drain(
    ends: ReadonlyMap<number, Pos>,
    { withinMs, onlooker }: { readonly withinMs: number; readonly onlooker?: Onlooker },
  ): Promise<Settled> {
    const service = this.#service
    service.goOn()
    let counted = this.#before
    const progress = async () => {
      const text = await service.metrics()
      counted = countsOf(text)
      const records = counted.records - this.#before.records
      onlooker?.look(records, service.pid)
      if (records === 0) return 'nothing'
      const acknowledged = byLabel(text, 'settle_settle_last_pos', 'partition')
      return [...ends].every(([partition, pos]) => acknowledged.get(`${partition}`) === Number(pos)) ? 'all' : 'some'
    }
    const drained = await follow(service, { progress, withinMs })
    await untilCommitted(this.#stream, ends)
    requireGood(await service.metrics())
    service.standStill()
    const { rows, records } = this.#before
    this.#before = counted
    return { ...drained, rows: counted.rows - rows, records: counted.records - records }
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

const countsOf = (text: string): Counted => {
  const sums = sumsOfMetrics(text)
  return {
    rows: sums.get('settle_settle_rows_total') ?? 0,
    records: sums.get('settle_settle_records_total') ?? 0,
  }
}

const untilCommitted = async (
  { kafka, names: { groups, topics } }: Stream,
  ends: ReadonlyMap<number, Pos>,
): Promise<void> => {
  const deadline = performance.now() + commitWithinMs
  for (;;) {
    const committed = await kafka.committed({ group: groups.settle, topic: topics.users })
    const at = (partition: number): bigint | undefined => {
      const offset = committed.get(partition)
      return offset && fromCommitted(offset)?.pos
    }
    if ([...ends].every(([partition, pos]) => at(partition) === pos)) return
    if (performance.now() > deadline)
      throw new Error(`settle has not committed all that it acknowledged within ${commitWithinMs} ms`)
    await pause(pollMs)
  }
}

/** What would make a rate worthless. */
const requireGood = (text: string): void => {
  const sums = sumsOfMetrics(text)
  const zero = [
    'settle_settle_parked_users',
    'settle_settle_parkings_total',
    'settle_settle_conservation_alarm',
    'settle_settle_restarts_total',
    'settle_settle_errors_total',
  ]
  const wrong = zero.filter(name => (sums.get(name) ?? 0) !== 0).map(name => `${name} ${sums.get(name)}`)
  const unequal = byLabel(text, 'settle_settle_intervals_total', 'result').get('unequal') ?? 0
  if (unequal > 0) wrong.push(`${unequal} intervals not conserved`)
  if (wrong.length > 0) throw new Error(`settle did not do it well, so its rate says nothing: ${wrong.join(', ')}`)
}
