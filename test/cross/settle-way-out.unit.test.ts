import { pino } from 'pino'
import { Registry } from 'prom-client'
import { beforeEach, describe, expect, test } from 'vitest'
import type { UserRecord } from '../../core/events.ts'
import { pos } from '../../core/ids.ts'
import { TinyExchange } from '../../core/testing/tiny-exchange.ts'
import { type ReplayGroup, replayRequest } from '../../ops/replay/replay.ts'
import { OperatorWorld } from '../../ops/testing/operator-world.ts'
import { Settle } from '../../processor/settle/settle.ts'
import { settleMetrics } from '../../processor/settle/settle-metrics.ts'
import { UserTopic } from '../../processor/settle/testing/user-topic.ts'
import { type Progress, toCommitted } from '../../runtime/reader/progress.ts'
import type { Stop } from '../../runtime/stop.ts'
import { eventually } from '../../runtime/testing/eventually.ts'
import { encodeUserRecord } from '../../schemas/codec.ts'

// Each thing that settle must not read is met by settle; then exactly what its error says is run, and it goes on.
const partitions = 2
const [topic, group] = ['demo.user.outputs', 'demo.settle']
const records = ((): readonly (readonly UserRecord[])[] => {
  const [made, exchange] = [new UserTopic({ partitions }), new TinyExchange()]
  for (let round = 0; round < 4; round++) {
    for (const user of [1, 2, 3, 4]) made.output(exchange.take({ kind: 'deposit', user, asset: 1, amount: 1000 }))
    made.barrier()
  }
  return made.records
})()
const last = records.map(each => each.at(-1) as UserRecord)

let world: OperatorWorld
beforeEach(() => {
  world = new OperatorWorld()
  fill(records)
})

const fill = (all: readonly (readonly UserRecord[])[]): void => {
  for (const [partition, each] of all.entries())
    for (const record of each) world.broker.put(topic, partition, { value: encodeUserRecord(record) })
}
const offsets = () => world.broker.offsets(group, topic)
const progress = (over: Partial<Progress>) => toCommitted({ offset: 0n, n: 0n, pos: pos(0n), ...over })

const start = (): { readonly done: Promise<void>; readonly stop: () => Promise<void> } => {
  const service = new Settle({
    kafka: world.broker.client('demo.settle'),
    cql: world.store,
    clock: world.clock,
    log: pino({ level: 'silent' }),
    metrics: settleMetrics(new Registry()),
    ...{ topic, group, partitions },
    ...{
      storeSyncMs: 0,
      storeSyncMarginMs: 0,
      commitIntervalMs: 10,
      cacheCells: 1000,
      batchRecords: 50,
      batchesAtOnce: 2,
      inFlight: 128,
    },
  })
  const stopping = new AbortController()
  const done = service.run(stopping.signal)
  done.catch(() => {})
  return {
    done,
    stop: async () => {
      stopping.abort()
      await done
    },
  }
}
/** What settle ends with by itself. */
const refusal = async (): Promise<Stop> => {
  const error = await start().done.then(
    () => expect.fail('it ended well'),
    (stop: Stop) => stop,
  )
  // runtime/service.ts makes exit code 3 of it.
  expect(error).toMatchObject({ name: 'Stop', reason: 'refused' })
  return error
}
/** Reads and commits to the last barrier. */
const settles = async (): Promise<void> => {
  const { stop } = start()
  const ends = last.map(({ n, pos: at }) => `n=${n} pos=${at}`)
  await eventually('all of it is settled', async () => {
    await world.clock.sleep(10)
    return ends.every((metadata, partition) => offsets().get(partition)?.metadata === metadata)
  })
  await stop()
  expect(world.store.rows('balances')).toHaveLength(4)
}
/** Runs the very command that an error names. */
const told = async ({ message }: Pick<Stop, 'message'>): Promise<void> => {
  const [, service, to] = /settle replay --group ([a-z-]+) --to (start|\d+)/.exec(message) ?? []
  if (service === undefined || to === undefined) throw new Error(`names no command: ${message}`)
  const given = to === 'start' ? ({ kind: 'start' } as const) : ({ kind: 'pos', pos: pos(BigInt(to)) } as const)
  const { exitCode } = await world.run(replayRequest({ group: service as ReplayGroup, to: given }), { waitMs: 0 })
  expect(exitCode).toBe(0)
}

test('what is right is settled', settles)

describe('stops, and what its error says to run mends it', () => {
  test('an offset without metadata, as Kafka’s own tools set it', async () => {
    offsets().set(1, { offset: 1n, metadata: '' })
    const error = await refusal()
    expect(error.code).toBe('offset-foreign')
    await told(error)
    await settles()
  })

  test('an offset out of range', async () => {
    offsets().set(0, progress({ offset: 900n, n: 900n, pos: pos(900n) }))
    const error = await refusal()
    expect(error.code).toBe('offset-out-of-range')
    await told(error)
    await settles()
  })

  test('a topic made again, of which the group still has an offset', async () => {
    offsets().set(0, progress({ offset: 2n, n: 2n, pos: pos(77n) }))
    const error = await refusal()
    expect(error.code).toBe('offset-other-log')
    await told(error)
    await settles()
  })

  test('an offset in the middle of what a barrier closes', async () => {
    await settles()
    const barriers = records.map(each => each.findIndex(({ kind }) => kind === 'Barrier'))
    for (const [partition, barrier] of barriers.entries()) {
      const { n, pos: at } = (records[partition] as readonly UserRecord[])[barrier + 1] as UserRecord
      offsets().set(partition, progress({ offset: BigInt(barrier) + 2n, n, pos: at }))
    }
    const error = await refusal()
    expect(error.code).toBe('barrier-order')
    await told(error)
    const after = barriers.map((barrier, partition) => records[partition]?.[barrier]?.n)
    expect([...offsets().values()].map(({ metadata }) => metadata.split(' ')[0])).toEqual(after.map(n => `n=${n}`))
    await settles()
  })
})

describe('stops, and says that the topic is to be made again', () => {
  test('without an offset: its topic was deleted, and the group’s offsets with it', async () => {
    offsets().clear()
    expect(await refusal()).toMatchObject({
      code: 'offset-missing',
      message: expect.stringMatching(/its topic was made again; run: settle init$/),
    })
  })

  test('a record out of order', async () => {
    world.broker.deleteTopic(topic)
    world.broker.addTopic({ topic, partitions })
    fill(records.map(each => each.filter((_, index) => index !== 2)))
    for (let partition = 0; partition < partitions; partition++) offsets().set(partition, progress({}))
    expect(await refusal()).toMatchObject({
      code: 'log-order',
      message: expect.stringMatching(/n is 4 after 2; .* delete the topic, run settle init, and start them$/),
    })
  })
})
