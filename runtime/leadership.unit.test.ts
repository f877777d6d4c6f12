import { pino } from 'pino'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { KafkaFailure, type KafkaFailureKind, type KafkaPort, type Owner } from './kafka/port.ts'
import { MemoryBroker } from './kafka/testing/memory-broker.ts'
import { Leadership } from './leadership.ts'
import { refuse } from './stop.ts'
import { eventually } from './testing/eventually.ts'
import { TestClock } from './testing/test-clock.ts'

const [group, topic] = ['bridge', 'commands']
const backoffMs = 500
let clock: TestClock
let broker: MemoryBroker
/** What the terms went through, in order. */
let told: string[]

beforeEach(() => {
  clock = new TestClock()
  broker = new MemoryBroker({ clock })
  broker.addTopic({ topic, partitions: 1 })
  told = []
})

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
  })

/** Leads until it is told to stop, and drains as long as it takes. */
const leads =
  (name: string, { drainMs = 0 }: { readonly drainMs?: number } = {}) =>
  async (signal: AbortSignal): Promise<void> => {
    told.push(`${name} leads`)
    await aborted(signal)
    if (drainMs > 0) await clock.sleep(drainMs)
    told.push(`${name} drained`)
  }

const taking = (kafka: KafkaPort, lead: (signal: AbortSignal) => Promise<void>) => {
  const stopping = new AbortController()
  const leadership = new Leadership({ kafka, clock, log: pino({ level: 'silent' }), group, topic, backoffMs, lead })
  const done = leadership.run(stopping.signal)
  done.catch(() => {})
  const stop = async (): Promise<void> => {
    stopping.abort()
    await done
  }
  return { leadership, done, stop }
}

describe('of several instances', () => {
  test('one leads and the others stand by; when it stops, another leads', async () => {
    const one = taking(broker.client(), leads('one'))
    expect(one.leadership.state).toBe('joining')
    await eventually('one leads', () => one.leadership.state === 'leading')
    const two = taking(broker.client(), leads('two'))
    await eventually('two stands by', () => two.leadership.state === 'standby')
    expect(told).toEqual(['one leads'])
    await one.stop()
    expect(one.leadership.state).toBe('stopped')
    await eventually('two leads', () => two.leadership.state === 'leading')
    expect(told).toEqual(['one leads', 'one drained', 'two leads'])
    await two.stop()
    expect(broker.group(group).memberCount).toBe(0)
  })

  test('one that keeps its partition over a rebalance goes on with its term', async () => {
    const one = taking(broker.client(), leads('one'))
    await eventually('one leads', () => told.length === 1)
    broker.group(group).rebalance()
    await clock.sleep(1000)
    expect(told).toEqual(['one leads'])
    await one.stop()
  })

  test('one that was cut off is told when it is back, and stands by', async () => {
    const [cut, other] = [broker.client(), broker.client()]
    const one = taking(cut, leads('one'))
    await eventually('one leads', () => one.leadership.state === 'leading')
    const two = taking(other, leads('two'))
    await eventually('two stands by', () => two.leadership.state === 'standby')
    cut.freeze()
    await eventually('two leads', () => two.leadership.state === 'leading')
    expect(told).toEqual(['one leads', 'two leads'])
    cut.thaw()
    await eventually('one stands by', () => one.leadership.state === 'standby')
    expect(told).toEqual(['one leads', 'two leads', 'one drained'])
    await Promise.all([one.stop(), two.stop()])
  })
})

test('one whose group does not come to an assignment stops all the same', async () => {
  broker = new MemoryBroker({ clock, rebalanceDelayMs: () => 1_000_000_000 })
  broker.addTopic({ topic, partitions: 1 })
  const one = taking(broker.client(), leads('one'))
  await eventually('it waits for the others', () => broker.group(group).memberCount === 1)
  await one.stop()
  expect([told, one.leadership.state, broker.group(group).memberCount]).toEqual([[], 'stopped', 0])
})

describe('a term', () => {
  test('never begins before the one before has drained, however often the partition comes and goes', async () => {
    let tell: (partitions: readonly number[]) => void = () => {}
    let generation = 0
    const kafka: Partial<KafkaPort> = {
      join: ({ onAssignment }) => {
        tell = partitions => onAssignment({ generation: ++generation, partitions })
        return Promise.resolve({
          owner: () => Promise.resolve('this member' as const),
          commit: () => Promise.resolve(),
          leave: () => Promise.resolve(),
        })
      },
    }
    let [now, most, terms] = [0, 0, 0]
    const one = taking(kafka as KafkaPort, async signal => {
      terms++
      most = Math.max(most, ++now)
      await aborted(signal)
      await clock.sleep(700)
      now--
    })
    for (const pauseMs of [0, 1, 100, 800, 0, 350, 2000]) {
      tell([0])
      await clock.sleep(pauseMs)
      tell([])
      await clock.sleep(pauseMs / 2)
    }
    tell([0])
    await eventually('it leads', () => now === 1 && one.leadership.state === 'leading')
    await one.stop()
    expect(most).toBe(1)
    expect(now).toBe(0)
    // What came and went while another term drained was never begun.
    expect(terms).toBeLessThan(8)
  })

  test.each<KafkaFailureKind>(['fenced', 'unknown', 'retriable', 'superseded'])(
    'that ends %s is followed by another after the backoff',
    async kind => {
      const begins: number[] = []
      const one = taking(broker.client(), async signal => {
        begins.push(clock.monotonicMs())
        if (begins.length < 4) throw new KafkaFailure(kind, 'as told')
        await aborted(signal)
      })
      await eventually('it leads for the fourth time', () => begins.length === 4)
      const [first = 0] = begins
      expect(begins.map(ms => ms - first)).toEqual([0, backoffMs, 2 * backoffMs, 3 * backoffMs])
      await one.stop()
    },
  )

  test('that was fenced is followed by no other before the coordinator names this member', async () => {
    const answers = [new KafkaFailure('retriable', 'no answer'), 'another member', 'nobody', 'another member'] as const
    let asked = 0
    const kafka: Partial<KafkaPort> = {
      join: ({ onAssignment }) => {
        onAssignment({ generation: 1, partitions: [0] })
        return Promise.resolve({
          owner: () => {
            const answer = answers[asked++] ?? 'this member'
            return answer instanceof KafkaFailure ? Promise.reject(answer) : Promise.resolve(answer)
          },
          commit: () => Promise.resolve(),
          leave: () => Promise.resolve(),
        })
      },
    }
    const begins: number[] = []
    const one = taking(kafka as KafkaPort, async signal => {
      begins.push(asked)
      if (begins.length === 1) throw new KafkaFailure('fenced', 'another leads')
      await aborted(signal)
    })
    await eventually('it leads again', () => begins.length === 2)
    expect(begins).toEqual([0, answers.length + 1])
    expect(clock.monotonicMs()).toBe(backoffMs * (answers.length + 1))
    await one.stop()
  })

  test.each([
    new KafkaFailure('fatal', 'refused credentials'),
    new KafkaFailure('out-of-range', 'the log was cut'),
    new Error('a bug'),
  ])('that ends with what no new term mends ends the service: %s', async error => {
    const one = taking(broker.client(), () => Promise.reject(error))
    await expect(one.done).rejects.toBe(error)
    expect(one.leadership.state).toBe('stopped')
    expect(broker.group(group).memberCount).toBe(0)
  })
})

describe('a stop', () => {
  test('begins no term, though an assignment comes while it drains', async () => {
    const one = taking(broker.client(), leads('one', { drainMs: 5000 }))
    await eventually('one leads', () => told.length === 1)
    const stopped = one.stop()
    // The old term is aborted and drains; to be elected now must not begin another.
    broker.group(group).rebalance()
    await stopped
    await clock.sleep(1000)
    expect(told).toEqual(['one leads', 'one drained'])
  })

  test('lets the term drain before the group is left', async () => {
    const one = taking(broker.client(), async signal => {
      await aborted(signal)
      await clock.sleep(900)
      told.push(`${broker.group(group).memberCount} member`)
    })
    await eventually('it leads', () => one.leadership.state === 'leading')
    await one.stop()
    expect(told).toEqual(['1 member'])
    expect(broker.group(group).memberCount).toBe(0)
  })

  test('does not wait for a backoff', async () => {
    const one = taking(broker.client(), () => {
      told.push('fenced')
      return Promise.reject(new KafkaFailure('fenced', 'as told'))
    })
    await eventually('it was fenced', () => told.length === 1)
    const stoppedMs = clock.monotonicMs()
    await one.stop()
    expect(clock.monotonicMs() - stoppedMs).toBeLessThan(backoffMs)
    expect(told).toEqual(['fenced'])
  })

  test('asked for before the group was joined, nobody leads', async () => {
    const one = taking(broker.client(), leads('one'))
    await one.stop()
    expect(told.filter(line => line === 'one leads').length).toBe(told.filter(line => line === 'one drained').length)
    expect(broker.group(group).memberCount).toBe(0)
  })
})

test('a term that finds something wrong in the middle of a rebalance waits for the owner that comes of it', async () => {
  const answers: (Owner | KafkaFailure)[] = ['nobody', new KafkaFailure('retriable', 'no coordinator'), 'nobody']
  const asked: Owner[] = []
  const kafka = broker.client()
  const join = kafka.join.bind(kafka)
  vi.spyOn(kafka, 'join').mockImplementation(async options => {
    const membership = await join(options)
    vi.spyOn(membership, 'owner').mockImplementation(() => {
      const answer = answers.shift() ?? 'another member'
      if (answer instanceof KafkaFailure) return Promise.reject(answer)
      asked.push(answer)
      return Promise.resolve(answer)
    })
    return membership
  })
  const one = taking(kafka, () => Promise.reject(refuse('trimmed', 'the engine no longer keeps what follows')))
  await eventually('one stands by', () => asked.includes('another member'))
  await one.stop()
  expect(asked.slice(0, 3)).toEqual(['nobody', 'nobody', 'another member'])
})

test('a term that finds something wrong ends the service, unless another member leads by then', async () => {
  const found = refuse('trimmed', 'the engine no longer keeps what follows')
  const [cut, other] = [broker.client(), broker.client()]
  let begun = 0
  const one = taking(cut, async signal => {
    if (++begun > 1) return await leads('one')(signal)
    cut.expel(60_000)
    await eventually('two leads', () => told.includes('two leads'))
    throw found
  })
  await eventually('one has begun', () => begun === 1)
  const two = taking(other, leads('two'))
  await eventually('one stands by', () => one.leadership.state === 'standby')
  await two.stop()
  await eventually('one leads again', () => told.includes('one leads'))
  await one.stop()
  const alone = taking(broker.client(), () => Promise.reject(found))
  await expect(alone.done).rejects.toBe(found)
})

test('a membership that fails ends the service, after its term', async () => {
  const one = taking(broker.client(), leads('one', { drainMs: 100 }))
  await eventually('it leads', () => one.leadership.state === 'leading')
  broker.group(group).fail(new KafkaFailure('fatal', 'not authorised'))
  await expect(one.done).rejects.toThrow('not authorised')
  expect(told).toEqual(['one leads', 'one drained'])
})

test('a group that can not be joined ends the service', async () => {
  broker.deleteTopic(topic)
  await expect(taking(broker.client(), leads('one')).done).rejects.toMatchObject({ kind: 'retriable' })
})
