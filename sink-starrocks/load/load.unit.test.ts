import * as fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import type { EngineOutput, UserRecord } from '../../core/events.ts'
import { history } from '../../core/testing/history.ts'
import { KafkaFailure } from '../../runtime/kafka/port.ts'
import { namesOf } from '../../runtime/names.ts'
import { SqlFailure } from '../../runtime/starrocks/sql-port.ts'
import { LoadService } from './load.ts'
import { FakeKafka } from './testing/fake-kafka.ts'
import { FakeStarRocks, type Mishap } from './testing/fake-starrocks.ts'
import { TestClock } from '../../runtime/testing/test-clock.ts'
import { userTopic } from './testing/user-topic.ts'

const log = pino({ level: 'silent' })
const partitions = 3

/** Of all services of a test together: a label that came twice, with other rows, would stand for rows that never came. */
let batches = 0

type StarRocks = Pick<FakeStarRocks, 'load' | 'labelState' | 'readReference'>

const service = (
  kafka: FakeKafka,
  starrocks: StarRocks,
  clock: TestClock,
  flushRows = 40,
  metrics = new Registry(),
): LoadService => {
  return new LoadService({
    kafka: kafka.port,
    streamLoad: starrocks,
    readReference: starrocks.readReference,
    clock,
    log,
    metrics,
    names: namesOf('test'),
    partitions,
    rule: { ms: 100, rows: flushRows, bytes: 1_000_000 },
    newBatchId: () => `${++batches}`,
  })
}

const topicOf = (outputs: readonly EngineOutput[]): UserRecord[][] =>
  userTopic(outputs, { partitions, barrierEvery: 5 })

/** Runs until everything is read, or until `stopWhen`. */
const runUntil = async (loading: LoadService, done: () => boolean, clock: TestClock): Promise<void> => {
  const stop = new AbortController()
  const running = loading.run(stop.signal)
  const end = { came: false }
  const watched = running.finally(() => {
    end.came = true
  })
  watched.catch(() => {})
  for (let turn = 0; !done() && !end.came; turn++) {
    if (turn > 100_000) throw new Error(`not done after ${clock.monotonicMs()} ms: ${JSON.stringify(loading.health())}`)
    await new Promise(resolve => setImmediate(resolve))
  }
  stop.abort()
  await watched
}

const renumbered = (record: UserRecord, index: number): UserRecord => Object.assign(record, { n: BigInt(index + 1) })

/** What one uninterrupted run without mishaps makes of a log. */
const undisturbed = async (topic: readonly (readonly UserRecord[])[]): Promise<string> => {
  const clock = new TestClock()
  const [kafka, starrocks] = [new FakeKafka(topic, { clock, fetchCount: () => 1000 }), new FakeStarRocks()]
  await runUntil(service(kafka, starrocks, clock, 1_000_000), () => kafka.isReadUp, clock)
  return starrocks.contents()
}

describe('load', () => {
  it('brings every trade, order event, posting and balance of the log into StarRocks', async () => {
    await fc.assert(
      fc.asyncProperty(history, async outputs => {
        const clock = new TestClock()
        const topic = topicOf(outputs)
        const [kafka, starrocks] = [new FakeKafka(topic, { clock, fetchCount: () => 7 }), new FakeStarRocks()]
        await runUntil(service(kafka, starrocks, clock), () => kafka.isReadUp, clock)
        const trades = outputs.flatMap(each => each.trades)
        const orders = outputs.flatMap(each => each.orders)
        const changes = outputs.flatMap(each => each.changes)
        expect(new Set(starrocks.rows('trades').map(row => row['trade_id']))).toEqual(
          new Set(trades.map(each => `${each.trade}`)),
        )
        expect(starrocks.rows('user_trades').length).toBe(trades.length * 2)
        expect(starrocks.rows('order_events').length).toBe(orders.length)
        expect(starrocks.rows('ledger').length).toBe(changes.length)
        const last = new Map(orders.map(each => [`${each.order}`, each]))
        expect(new Map(starrocks.rows('orders').map(row => [row['order_id'], row['state']]))).toEqual(
          new Map([...last].map(([id, each]) => [id, each.state])),
        )
        const balances = new Map(
          changes.map(each => [`${each.user}/${each.asset}`, `${each.available}/${each.frozen}`]),
        )
        expect(
          new Map(
            starrocks
              .rows('balances')
              .map(row => [`${row['user_id']}/${row['asset_id']}`, `${row['available_units']}/${row['frozen_units']}`]),
          ),
        ).toEqual(balances)
      }),
      { numRuns: 20 },
    )
  })

  it('leaves the same tables whatever goes wrong and wherever it is stopped or rebalanced', async () => {
    const mishaps = fc.array(
      fc.constantFrom<Mishap>('nothing', 'nothing', 'rolled back', 'answer lost', 'request lost', 'publish timeout'),
      { maxLength: 60 },
    )
    const stops = fc.array(fc.record({ afterLoads: fc.nat(8), how: fc.constantFrom('restart', 'rebalance') }), {
      maxLength: 6,
    })
    await fc.assert(
      fc.asyncProperty(
        history,
        mishaps,
        stops,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 200 }),
        async (outputs, plan, interruptions, fetchCount, flushRows) => {
          const clock = new TestClock()
          const topic = topicOf(outputs)
          let attempts = 0
          const starrocks = new FakeStarRocks(() => plan[attempts++] ?? 'nothing')
          const kafka = new FakeKafka(topic, { clock, fetchCount: () => fetchCount })
          for (const { afterLoads, how } of interruptions) {
            const until = attempts + afterLoads
            const done = (): boolean => attempts >= until || kafka.isReadUp
            if (how === 'restart') {
              await runUntil(service(kafka, starrocks, clock, flushRows), done, clock)
              continue
            }
            let rebalanced = false
            await runUntil(
              service(kafka, starrocks, clock, flushRows),
              () => {
                // Read up there is no further load to wait for.
                if (rebalanced) return attempts >= until + 2 || kafka.isReadUp
                if (!done()) return false
                kafka.rebalance()
                rebalanced = true
                return kafka.isReadUp
              },
              clock,
            )
          }
          await runUntil(service(kafka, starrocks, clock, flushRows), () => kafka.isReadUp, clock)
          expect(starrocks.contents()).toBe(await undisturbed(topic))
        },
      ),
      { numRuns: 60 },
    )
  })

  it('tells rows, verdicts, lag and state to Prometheus', async () => {
    const clock = new TestClock()
    const topic = topicOf([])
    const kafka = new FakeKafka(topic, { clock, fetchCount: () => 10 })
    const mishaps: Mishap[] = ['rolled back']
    const metrics = new Registry()
    const loading = service(kafka, new FakeStarRocks(() => mishaps.shift() ?? 'nothing'), clock, 40, metrics)
    await runUntil(loading, () => kafka.isReadUp, clock)
    const told = await metrics.metrics()
    for (const line of [
      'settle_load_records_total 3',
      'settle_load_rows_total{table="assets"} 2',
      'settle_load_attempts_total{table="assets",verdict="retry"} 1',
      'settle_load_attempts_total{table="assets",verdict="done"} 1',
      'settle_load_last_pos{partition="2"} 1700000000000000',
      'settle_load_state{state="over"} 1',
      'settle_load_freshness_seconds_count 1',
    ])
      expect(told.split('\n')).toContain(line)
    expect(told).toMatch(/settle_load_lag_seconds\{partition="0"\} \d+\.\d+/)
    expect(loading.health()).toMatchObject({ ok: true, state: 'over' })
  })

  it('reads on after each of many rebalances', async () => {
    const outputs = fc.sample(history, { numRuns: 1, seed: 3 })[0] as EngineOutput[]
    const clock = new TestClock()
    const topic = topicOf(outputs)
    const kafka = new FakeKafka(topic, { clock, fetchCount: () => 2 })
    const starrocks = new FakeStarRocks()
    const committed = (): bigint => [...kafka.offsets.values()].reduce((sum, { offset }) => sum + offset, 0n)
    let seen = 0n
    let rebalances = 0
    const rebalanceOnProgress = (): boolean => {
      if (committed() > seen && rebalances < 4) {
        seen = committed()
        rebalances++
        kafka.rebalance()
      }
      return kafka.isReadUp
    }
    await runUntil(service(kafka, starrocks, clock, 10), rebalanceOnProgress, clock)
    expect(rebalances).toBe(4)
    expect(starrocks.contents()).toBe(await undisturbed(topic))
  })

  it('commits what barriers alone bring, and never before the rows are there', async () => {
    const clock = new TestClock()
    const topic = userTopic([], { partitions, barrierEvery: 1 })
    const kafka = new FakeKafka(topic, { clock, fetchCount: () => 10 })
    const starrocks = new FakeStarRocks()
    const early: number[] = []
    kafka.onCommit = partition => {
      if (starrocks.rows('assets').length === 0) early.push(partition)
    }
    await runUntil(service(kafka, starrocks, clock), () => kafka.isReadUp, clock)
    expect(early).toEqual([])
    expect([...kafka.offsets.values()].map(each => each.metadata)).toEqual(
      topic.map(records => `n=${records.length} pos=${records.at(-1)?.pos}`),
    )
  })

  it('stops with row, column and reason when StarRocks refuses rows, and commits nothing', async () => {
    const clock = new TestClock()
    const kafka = new FakeKafka(topicOf([]), { clock, fetchCount: () => 10 })
    const starrocks = new FakeStarRocks()
    starrocks.load = async () => ({ kind: 'refused', reason: 'too many filtered rows', detail: "Column 'name': no" })
    await expect(runUntil(service(kafka, starrocks, clock), () => false, clock)).rejects.toMatchObject({
      code: 'load-rows-refused',
      reason: 'refused',
      message: expect.stringMatching(/table test\.\w+ refused rows .*too many filtered rows.*\nColumn 'name': no/s),
    })
    expect([...kafka.offsets.values()].every(each => each.offset === 0n)).toBe(true)
  })

  it('gives up on a server that never takes a load, within its bound, and says so in health before', async () => {
    const clock = new TestClock()
    const kafka = new FakeKafka(topicOf([]), { clock, fetchCount: () => 10 })
    const starrocks = new FakeStarRocks(() => 'rolled back')
    const loading = service(kafka, starrocks, clock)
    await expect(runUntil(loading, () => false, clock)).rejects.toMatchObject({
      code: 'load-gave-up',
      reason: 'failed',
    })
    expect(loading.health()).toMatchObject({ ok: false, trouble: expect.stringContaining('rolled back') })
  })

  it('commits again what could not be committed, and leaves to others what is no longer its own', async () => {
    const clock = new TestClock()
    const topic = topicOf([])
    const kafka = new FakeKafka(topic, { clock, fetchCount: () => 10 })
    const failures = [
      new KafkaFailure('retriable', 'coordinator moved'),
      new KafkaFailure('superseded', 'not yours'),
      new KafkaFailure('retriable', 'coordinator moved'),
    ]
    kafka.onCommit = () => {
      const failure = failures.shift()
      if (failure) throw failure
    }
    const starrocks = new FakeStarRocks()
    const committed = (): number => [...kafka.offsets.values()].filter(each => each.offset > 0n).length
    await runUntil(service(kafka, starrocks, clock), () => committed() === 2, clock)
    await runUntil(service(kafka, starrocks, clock), () => kafka.isReadUp, clock)
    expect(failures).toEqual([])
  })

  it('waits for StarRocks to tell the reference data, and passes on what it refuses', async () => {
    const clock = new TestClock()
    const kafka = new FakeKafka(topicOf([]), { clock, fetchCount: () => 10 })
    const starrocks = new FakeStarRocks()
    const { readReference } = starrocks
    let failures = 5
    const flaky = {
      load: starrocks.load.bind(starrocks),
      labelState: starrocks.labelState.bind(starrocks),
      readReference: async () => {
        if (failures-- > 0) throw new SqlFailure('retriable', 'connection lost')
        return readReference()
      },
    }
    await runUntil(service(kafka, flaky, clock), () => kafka.isReadUp, clock)
    expect(failures).toBeLessThan(0)
    flaky.readReference = async () => {
      throw new SqlFailure('refused', 'no such table')
    }
    await expect(runUntil(service(kafka, flaky, clock), () => false, clock)).rejects.toThrow('no such table')
    flaky.readReference = async () => {
      throw new SqlFailure('retriable', 'connection lost')
    }
    await expect(runUntil(service(kafka, flaky, clock), () => false, clock)).rejects.toMatchObject({
      code: 'starrocks-unreachable',
    })
  })

  it('stops at an amount of an asset that no reference data told of', async () => {
    const clock = new TestClock()
    const outputs = fc.sample(history, { numRuns: 1, seed: 1 })[0] as EngineOutput[]
    const topic = topicOf(outputs).map(records => records.filter(each => each.kind !== 'UserReference').map(renumbered))
    const kafka = new FakeKafka(topic, { clock, fetchCount: () => 10 })
    await expect(runUntil(service(kafka, new FakeStarRocks(), clock), () => false, clock)).rejects.toMatchObject({
      code: expect.stringMatching(/^(asset|symbol)-unknown$/),
    })
  })
})
