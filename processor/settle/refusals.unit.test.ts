import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BalanceChange, CorrectionBody, EngineOutput } from '../../core/events.ts'
import { type Amount, amount, assetId, type UserId, userId, version } from '../../core/ids.ts'
import { maxAmount } from '../../core/money.ts'
import { history } from '../../core/testing/history.ts'
import { type TinyCommand, TinyExchange } from '../../core/testing/tiny-exchange.ts'
import { CqlFailure } from '../../runtime/cql/port.ts'
import type { StoreImage } from '../../runtime/cql/testing/memory-store.ts'
import { encodeUserRecord } from '../../schemas/codec.ts'
import { expectedFacts, SettledWorld, storedFacts, unequalIntervals } from './testing/settled-world.ts'
import { UserTopic } from './testing/user-topic.ts'

const partitions = 3

/** What of an engine's history the log lost, and what an operator must supply for it: one Correction per user and asset. */
const correctionsFor = (...lost: readonly EngineOutput[]): CorrectionBody[] =>
  [
    ...Map.groupBy(
      lost.flatMap(each => each.changes),
      change => `${change.user}/${change.asset}`,
    ).values(),
  ].map(changes => {
    const last = changes.at(-1) as BalanceChange
    const sum = (of: (change: BalanceChange) => bigint): Amount =>
      amount(changes.reduce((total, each) => total + of(each), 0n))
    return {
      user: last.user,
      asset: last.asset,
      version: last.version,
      available: last.available,
      frozen: last.frozen,
      deltaAvailable: sum(each => each.deltaAvailable),
      deltaFrozen: sum(each => each.deltaFrozen),
    }
  })

const engineBalances = (outputs: readonly EngineOutput[]): string[] => {
  const last = new Map<string, string>()
  for (const { changes } of outputs)
    for (const each of changes)
      last.set(
        `${each.user}/${each.asset}`,
        `${each.user} ${each.asset} ${each.available} ${each.frozen} ${each.version}`,
      )
  return [...last.values()].sort()
}

/** A topic in which some outputs never arrived. */
const topicWithout = (outputs: readonly EngineOutput[], ...lost: readonly EngineOutput[]): UserTopic => {
  const topic = new UserTopic({ partitions })
  for (const [at, output] of outputs.entries()) {
    if (!lost.includes(output)) topic.output(output)
    if (at % 5 === 4) topic.barrier()
  }
  topic.barrier()
  return topic
}

const withLoss = fc.tuple(history, fc.nat()).map(([outputs, pick]) => {
  const moving = outputs.filter(each => each.changes.length > 0)
  return { outputs, lost: moving[pick % moving.length] as EngineOutput }
})

/** Users that the lost output left with a version missing under a later change: only they may be parked. */
const holed = (outputs: readonly EngineOutput[], lost: EngineOutput): Set<UserId> => {
  const assets = new Set(lost.changes.map(each => `${each.user}/${each.asset}`))
  const later = outputs.slice(outputs.indexOf(lost) + 1).flatMap(each => each.changes)
  return new Set(later.filter(each => assets.has(`${each.user}/${each.asset}`)).map(each => each.user))
}

const facts = (world: SettledWorld): Readonly<Record<string, readonly string[]>> => {
  const { history: rows = [], orders = [], trades = [], buckets = [] } = storedFacts(world.store)
  return { history: rows, orders, trades, buckets }
}

describe('an output that the log lost', () => {
  test('parks the users it left with a hole, exactly; all others go on, history is whole, money conserved', async () => {
    await fc.assert(
      fc.asyncProperty(withLoss, async ({ outputs, lost }) => {
        const world = new SettledWorld(topicWithout(outputs, lost))
        void world.start()
        await world.settled()
        const parked = holed(outputs, lost)
        expect(await world.metric('settle_settle_parked_users')).toBe(parked.size)
        await world.stop()
        expect(new Set(world.store.rows('parked').map(row => row['user_id']))).toEqual(parked)
        const touched = new Set(lost.changes.map(each => each.user as bigint))
        const others = (all: readonly string[]): string[] =>
          all.filter(each => !touched.has(BigInt(each.split(' ')[0] ?? '')))
        expect(others(storedFacts(world.store)['balances'] ?? [])).toEqual(others(engineBalances(outputs)))
        const expected = expectedFacts(world.topic)
        expect(facts(world)).toEqual({
          history: expected['history'],
          orders: expected['orders'],
          trades: expected['trades'],
          buckets: expected['buckets'],
        })
        expect(unequalIntervals(world.store, partitions)).toEqual([])
        expect(world.store.ties).toEqual([])
      }),
      { numRuns: 20 },
    )
  })

  test('is looked for once all history before is acknowledged, for where it goes on follows from that', async () => {
    const exchange = new TinyExchange()
    const user = userId(1n)
    const outputs = [1, 2, 1, 1].map(asset => exchange.take({ kind: 'deposit', user: 1, asset, amount: 100 }))
    const world = new SettledWorld(topicWithout(outputs, outputs[2] as EngineOutput))
    const slow = Promise.withResolvers<void>()
    let [begun, underWay, askedTooEarly] = [0, false, false]
    world.store.hooks.onWrite = async ([row]) => {
      if (!row?.cql.startsWith('INSERT INTO history ') || row.params[0] !== user) return
      // That of the other asset, which stands between the cell and the change that does not follow.
      if (++begun !== 2) return
      underWay = true
      await slow.promise
      underWay = false
    }
    world.store.hooks.onQuery = (cql, params) => {
      if (cql.includes('FROM history_buckets') && params[0] === user) askedTooEarly ||= underWay
    }
    void world.start({ batchRecords: 1 })
    world.kafka.fill(world.topic.records)
    let turns = 0
    await world.until('an early question, or none for long', () => askedTooEarly || (underWay && ++turns > 100))
    slow.resolve()
    await world.settled()
    await world.stop()
    expect(askedTooEarly).toBe(false)
  })

  test('heals by Corrections, in any order, through restarts; a rewind brings the same rows again', async () => {
    const plan = fc.tuple(withLoss, fc.nat(), fc.boolean())
    await fc.assert(
      fc.asyncProperty(plan, async ([{ outputs, lost }, turn, restart]) => {
        const world = new SettledWorld(topicWithout(outputs, lost))
        void world.start()
        await world.settled()
        if (restart) {
          await world.stop()
          void world.start()
        }
        const corrections = correctionsFor(lost)
        for (const at of corrections.keys()) {
          const correction = corrections[(at + turn) % corrections.length] as CorrectionBody
          world.topic.correction(correction)
        }
        world.topic.barrier()
        await world.settled()
        expect(await world.metric('settle_settle_parked_users')).toBe(0)
        await world.stop()
        expect(storedFacts(world.store)['balances']).toEqual(engineBalances(outputs))
        expect(unequalIntervals(world.store, partitions)).toEqual([])

        const rows = world.store.rows('balances')
        world.rewind(Array.from({ length: partitions }, () => -1))
        void world.start()
        await world.settled()
        await world.stop()
        expect(world.store.rows('balances')).toEqual(rows)
        expect(world.store.ties).toEqual([])
      }),
      { numRuns: 20 },
    )
  })

  test('heals over several versions at once, to the cells and the history that the naive ledger has', async () => {
    const plan = fc.tuple(history, fc.nat(), fc.integer({ min: 2, max: 8 }))
    await fc.assert(
      fc.asyncProperty(plan, async ([outputs, pick, count]) => {
        const first = pick % outputs.length
        const lost = outputs.slice(first, first + count)
        const world = new SettledWorld(topicWithout(outputs, ...lost))
        void world.start()
        await world.settled()
        for (const correction of correctionsFor(...lost)) world.topic.correction(correction)
        world.topic.barrier()
        await world.settled()
        await world.stop()
        const { balances, history: rows } = storedFacts(world.store)
        expect(balances).toEqual(engineBalances(outputs))
        const expected = expectedFacts(world.topic)
        expect(balances).toEqual(expected['balances'])
        expect(rows).toEqual(expected['history'])
        expect(unequalIntervals(world.store, partitions)).toEqual([])
      }),
      { numRuns: 20 },
    )
  })

  test('a Redrive alone does not heal, and a Correction that does not lead on from the cell changes nothing', async () => {
    const { outputs, lost } = lostDeposit()
    const world = new SettledWorld(topicWithout(outputs, lost))
    void world.start()
    await world.settled()
    // Three more outputs of the user came after the first that was refused: nothing was read again for them.
    expect(await world.metric('settle_settle_parkings_total')).toBe(1)
    const before = world.store.rows('balances')
    const [correction] = correctionsFor(lost) as [CorrectionBody]
    world.topic.redrive(correction.user)
    world.topic.correction({ ...correction, deltaAvailable: amount(correction.deltaAvailable + 1n) })
    world.topic.barrier()
    await world.settled()
    expect(await world.metric('settle_settle_parked_users')).toBe(1)
    expect(world.store.rows('balances')).toEqual(before)

    world.topic.correction(correction)
    world.topic.barrier()
    await world.settled()
    expect(await world.metric('settle_settle_parked_users')).toBe(0)
    expect(storedFacts(world.store)['balances']).toEqual(engineBalances(outputs))
    await world.stop()
  })

  test('after a restart the parked table tells who is parked, and a healed user is not', async () => {
    const { exchange, outputs, lost } = lostDeposit()
    const world = new SettledWorld(topicWithout(outputs, lost))
    void world.start()
    await world.settled()
    await world.stop()
    void world.start()
    await world.untilMetric('settle_settle_parked_users', 1)
    world.topic.correction(correctionsFor(lost)[0] as CorrectionBody)
    world.topic.barrier()
    await world.settled()
    await world.stop()

    void world.start()
    const more = deposits([1, 2, 3]).map(each => exchange.take(each))
    for (const output of more) world.topic.output(output)
    world.topic.barrier()
    await world.settled()
    expect(await world.metric('settle_settle_parked_users')).toBe(0)
    expect(storedFacts(world.store)['balances']).toEqual(engineBalances([...outputs, ...more]))
    expect(world.store.rows('parked').length).toBe(1)
    await world.stop()
  })
})

const deposits = (users: readonly number[]): TinyCommand[] =>
  users.map(user => ({ kind: 'deposit', user, asset: 1, amount: 100 + user }))

const lostDeposit = (): {
  readonly exchange: TinyExchange
  readonly outputs: readonly EngineOutput[]
  readonly lost: EngineOutput
} => {
  const exchange = new TinyExchange()
  const outputs = deposits([1, 2, 1, 2, 1, 2, 3, 1, 1, 1]).map(each => exchange.take(each))
  return { exchange, outputs, lost: outputs[2] as EngineOutput }
}

describe('an output that makes a balance what it can not be', () => {
  const [alice, bob, asset] = [userId(1n), userId(2n), assetId(1)]
  const output = (...changes: readonly BalanceChange[]): EngineOutput => ({
    ...{ time: 5n, reference: null, orders: [], trades: [] },
    changes,
  })
  const posting = (
    user: UserId,
    at: bigint,
    [delta, available]: readonly [bigint, bigint],
    reason: BalanceChange['reason'] = 'Deposit',
  ): BalanceChange => ({
    ...{ user, asset, version: version(at), ref: at, reason },
    ...{ available: amount(available), frozen: amount(0n) },
    ...{ deltaAvailable: amount(delta), deltaFrozen: amount(0n) },
  })

  test.each([
    ['Negative', 10n, posting(alice, 2n, [-11n, -1n], 'Withdrawal'), /go below zero/],
    ['Overflow', maxAmount, posting(alice, 2n, [1n, 1n]), /do not fit an int64/],
    ['Unequal', 10n, posting(alice, 2n, [5n, 16n]), /are not the engine's 16/],
  ] as const)('%s: parks its user alone, and says why', async (code, first, bad, message) => {
    const topic = new UserTopic({ partitions: 1 })
    topic.output(output(posting(alice, 1n, [first, first]), posting(bob, 1n, [7n, 7n])))
    topic.output(output(bad))
    topic.output(output(posting(bob, 2n, [1n, 8n])))
    topic.barrier()
    const world = new SettledWorld(topic)
    void world.start()
    await world.settled()
    await world.stop()
    expect(world.store.rows('parked')).toMatchObject([
      { user_id: alice, asset, version: 2n, code, message: expect.stringMatching(message) },
    ])
    expect(storedFacts(world.store)['balances']).toEqual([`1 1 ${first} 0 1`, '2 1 8 0 2'])
    expect(unequalIntervals(world.store, 1)).toEqual([])
  })
})

describe('cells that the store lost', () => {
  test('are worked out again from the log when the next output does not follow, and nobody is parked', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.array(fc.nat(), { minLength: 1, maxLength: 30 }), async (outputs, picks) => {
        const topic = new UserTopic({ partitions })
        const half = Math.floor(outputs.length / 2)
        for (const output of outputs.slice(0, half)) topic.output(output)
        topic.barrier()
        const world = new SettledWorld(topic)
        const images = [world.store.image()]
        world.store.hooks.onWrite = () => void images.push(world.store.image())
        void world.start()
        await world.settled()
        await world.stop()
        // Power losses that nobody saw: what was committed is gone, of each cell back to another moment.
        world.store.mix('balances', at => images[(picks[at % picks.length] ?? 0) % images.length] ?? new Map())
        delete world.store.hooks.onWrite
        for (const output of outputs.slice(half)) topic.output(output)
        // Everybody moves once more in every asset, so that every loss is met.
        const last = new Map<string, BalanceChange>()
        for (const { changes } of outputs) for (const each of changes) last.set(`${each.user}/${each.asset}`, each)
        for (const each of last.values()) topic.output(moveOnce(each))
        topic.barrier()
        void world.start()
        await world.settled()
        await world.stop()
        expect(storedFacts(world.store)['balances']).toEqual(expectedFacts(topic)['balances'])
        expect(world.store.rows('parked')).toEqual([])
        expect(world.store.ties).toEqual([])
      }),
      { numRuns: 20 },
    )
  })

  test('are worked out again from the oldest of them on, though another of the user stayed', async () => {
    const exchange = new TinyExchange()
    const topic = new UserTopic({ partitions })
    const world = new SettledWorld(topic)
    const images: StoreImage[] = []
    const settle = async (...assets: readonly number[]): Promise<void> => {
      for (const asset of assets) topic.output(exchange.take({ kind: 'deposit', user: 1, asset, amount: 100 }))
      topic.barrier()
      void world.start()
      await world.settled()
      await world.stop()
      images.push(world.store.image())
    }
    await settle(1)
    await settle(1, 2)
    // Of the user's two cells the first lost its second change, and the other is as new as ever.
    world.store.mix('balances', at => images[at] as StoreImage)
    await settle(1)
    expect(storedFacts(world.store)['balances']).toEqual(expectedFacts(topic)['balances'])
    expect(world.store.rows('parked')).toEqual([])
  })

  test('bring back the history that was lost with them', async () => {
    const exchange = new TinyExchange()
    const topic = new UserTopic({ partitions })
    const world = new SettledWorld(topic)
    const images = [world.store.image()]
    const settle = async (users: readonly number[]): Promise<void> => {
      for (const command of deposits(users)) topic.output(exchange.take(command))
      topic.barrier()
      void world.start()
      await world.settled()
      await world.stop()
      images.push(world.store.image())
    }
    await settle([1, 2, 3, 4])
    await settle([1, 2, 1, 3, 4])
    // All nodes lost power at once, and nobody saw it: of what was committed the second half is gone.
    world.store.restore(images[1] as StoreImage)
    await settle([1, 2, 3, 4])
    const [{ balances, history: rows }, expected] = [storedFacts(world.store), expectedFacts(topic)]
    expect(balances).toEqual(expected['balances'])
    expect(rows, 'history').toEqual(expected['history'])
    expect(world.store.rows('parked')).toEqual([])
  })

  test('are written again when a node restarted before their barrier was committed', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat({ max: 60 }), async (outputs, writes) => {
        const topic = new UserTopic({ partitions })
        for (const [at, output] of outputs.entries()) {
          topic.output(output)
          if (at % 5 === 4) topic.barrier()
        }
        topic.barrier()
        const world = new SettledWorld(topic)
        const before = world.store.image()
        let done = 0
        world.store.hooks.onWrite = () => {
          // Power is lost once, in the middle of writing, before anything can have been committed.
          if (++done !== writes + 1) return
          world.store.restore(before)
          world.store.nodes = new Map([['node-1', 2]])
        }
        void world.start({ storeSyncMs: 60 })
        await world.settled()
        const restarts = await world.metric('settle_settle_restarts_total')
        await world.stop()
        if (done > writes) expect(restarts).toBeGreaterThan(0)
        expect(storedFacts(world.store)).toEqual(expectedFacts(topic))
        expect(unequalIntervals(world.store, partitions)).toEqual([])
        expect(world.store.ties).toEqual([])
      }),
      { numRuns: 8 },
    )
  })
})

const moveOnce = (last: BalanceChange): EngineOutput => ({
  time: 1_800_000_000_000_000n,
  reference: null,
  orders: [],
  trades: [],
  changes: [
    {
      ...last,
      user: userId(last.user),
      deltaAvailable: amount(1n),
      deltaFrozen: amount(0n),
      available: amount(last.available + 1n),
      version: (last.version + 1n) as BalanceChange['version'],
      reason: 'Deposit',
      ref: 0n,
    },
  ],
})

test('a store that refuses a write stops settle with its code, and nothing is committed past it', async () => {
  const world = new SettledWorld(topicWithout(lostDeposit().outputs, lostDeposit().lost))
  world.store.hooks.onWrite = () => {
    throw new CqlFailure('refused', 'invalid', 'no such table')
  }
  const done = world.start()
  world.kafka.fill(world.topic.records)
  await expect(done).rejects.toMatchObject({ code: 'store-refused', reason: 'refused' })
  expect(world.kafka.commits).toEqual([])
})

test('a record that is cut off after its place stops settle at its offset, and nothing is committed past it', async () => {
  const exchange = new TinyExchange()
  const topic = new UserTopic({ partitions: 1 })
  for (const command of deposits([0, 1, 2])) topic.output(exchange.take(command))
  topic.barrier()
  const world = new SettledWorld(topic)
  const done = world.start()
  world.kafka.fill(topic.records, record => {
    const bytes = encodeUserRecord(record)
    return record.n === 3n ? bytes.subarray(0, bytes.length - 1) : bytes
  })
  await expect(done).rejects.toMatchObject({
    code: 'undecodable-record',
    message: expect.stringMatching(
      /^users-0 offset 4: user\.outputs record UserOutput: .*nothing was taken from it on/,
    ),
  })
  expect(world.kafka.commits).toEqual([])
})

test('it ends within the drain while the store does not answer and the queue is full, and goes on later', async () => {
  const exchange = new TinyExchange()
  const topic = new UserTopic({ partitions })
  for (const command of deposits(Array.from({ length: 200 }, (_, at) => at % 4))) topic.output(exchange.take(command))
  topic.barrier()
  const world = new SettledWorld(topic)
  let asked = 0
  world.store.hooks.onWrite = () => {
    asked++
    return new Promise(() => {})
  }
  void world.start({ batchRecords: 3 })
  world.kafka.fill(topic.records)
  await world.until('asked', () => asked > 0)
  await world.stop()
  delete world.store.hooks.onWrite
  void world.start()
  await world.settled()
  await world.stop()
  expect(storedFacts(world.store)).toEqual(expectedFacts(topic))
})
