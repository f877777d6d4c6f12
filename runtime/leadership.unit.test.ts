import { pino } from 'pino'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { KafkaFailure, type KafkaFailureKind, type KafkaPort, type TxWriter } from './kafka/port.ts'
import { MemoryBroker } from './kafka/testing/memory-broker.ts'
import { Leadership } from './leadership.ts'
import { refuse } from './stop.ts'
import { eventually } from './testing/eventually.ts'
import { TestClock } from './testing/test-clock.ts'

const [group, topic, transactionalId] = ['bridge', 'commands', 'bridge']
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
  async (_: TxWriter, signal: AbortSignal): Promise<void> => {
    told.push(`${name} leads`)
    await aborted(signal)
    if (drainMs > 0) await clock.sleep(drainMs)
    told.push(`${name} drained`)
  }

const taking = (kafka: KafkaPort, lead: (writer: TxWriter, signal: AbortSignal) => Promise<void>) => {
  const stopping = new AbortController()
  const log = pino({ level: 'silent' })
  const leadership = new Leadership({ kafka, clock, log, group, topic, transactionalId, backoffMs, lead })
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
    await eventually('two leads', () => told.includes('two leads'))
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
    await eventually('two leads', () => told.includes('two leads'))
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
      openTxWriter: () => broker.client().openTxWriter({ transactionalId }),
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
    const one = taking(kafka as KafkaPort, async (_, signal) => {
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
      const one = taking(broker.client(), async (_, signal) => {
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
      openTxWriter: () => broker.client().openTxWriter({ transactionalId }),
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
    const one = taking(kafka as KafkaPort, async (_, signal) => {
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

describe('to be asked to stop', () => {
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
    const one = taking(broker.client(), async (_, signal) => {
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

describe('a stop', () => {
  const found = refuse('trimmed', 'the engine no longer keeps what follows')

  test('ends the service', async () => {
    await expect(taking(broker.client(), () => Promise.reject(found)).done).rejects.toBe(found)
  })

  test('counts too while the term drains because the service is to end', async () => {
    const one = taking(broker.client(), async (_, signal) => {
      told.push('one leads')
      await aborted(signal)
      throw found
    })
    await eventually('one leads', () => told.length === 1)
    await expect(one.stop()).rejects.toBe(found)
  })

  test('does not count in a term that was replaced while another leads', async () => {
    const cut = broker.client()
    let begun = 0
    const one = taking(cut, async (writer, signal) => {
      if (++begun > 1) return await leads('one')(writer, signal)
      cut.expel(60_000)
      await eventually('two leads', () => told.includes('two leads'))
      throw found
    })
    await eventually('one has begun', () => begun === 1)
    const two = taking(broker.client(), leads('two'))
    await eventually('one stands by', () => one.leadership.state === 'standby')
    await two.stop()
    await eventually('one leads again', () => told.includes('one leads'))
    await one.stop()
  })

  test('does not count in a term that was replaced, though the group names its member again', async () => {
    const cut = broker.client()
    const elsewhere = Promise.withResolvers<void>()
    let begun = 0
    const one = taking(cut, async (writer, signal) => {
      if (++begun > 1) return await leads('one')(writer, signal)
      await elsewhere.promise
      throw found
    })
    await eventually('one has begun', () => begun === 1)
    // It hears nothing of the term that another has meanwhile: it is out, and elected again, and its own goes on.
    cut.freeze()
    const two = taking(broker.client(), leads('two'))
    await eventually('two leads', () => told.includes('two leads'))
    await two.stop()
    cut.thaw()
    await clock.sleep(1000)
    expect([begun, broker.group(group).memberCount, one.leadership.state]).toEqual([1, 1, 'leading'])
    elsewhere.resolve()
    await eventually('one leads again', () => told.includes('one leads'))
    await one.stop()
  })

  test.each<[KafkaFailureKind, string]>([
    ['unknown', 'is found again when it can not be told whether the term was replaced'],
    ['fatal', 'counts when it can never be asked whether the term was replaced'],
  ])('(%s) %s', async (kind, _) => {
    let begun = 0
    const one = taking(broker.client(), writer => {
      if (++begun === 1) vi.spyOn(writer, 'proveUnfenced').mockRejectedValue(new KafkaFailure(kind, 'as told'))
      return Promise.reject(found)
    })
    await expect(one.done).rejects.toBe(found)
    expect(begun).toBe(kind === 'unknown' ? 2 : 1)
  })
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
