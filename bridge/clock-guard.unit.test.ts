import { describe, expect, test } from 'vitest'
import { pos as asPos } from '../core/ids.ts'
import type { Clock } from '../runtime/clock.ts'
import { KafkaFailure } from '../runtime/kafka/port.ts'
import { TestClock } from '../runtime/testing/test-clock.ts'
import { ClockGuard } from './clock-guard.ts'

const limits = { jumpMs: 60_000, toleranceMs: 1000, waitMs: 10_000, freshMs: 2000, pollMs: 100 }
const secondUs = 1_000_000n
const never = new AbortController().signal

/** Our own clock is off by `offUs`; the engine's and the broker's by what they are told. */
const guarded = ({ brokerOffUs = 0n }: { readonly brokerOffUs?: bigint } = {}) => {
  const time = new TestClock()
  const own = { offUs: 0n }
  const clock: Clock = {
    nowUs: () => time.nowUs() + own.offUs,
    monotonicMs: () => time.monotonicMs(),
    sleep: (ms, signal) => time.sleep(ms, signal),
  }
  const brokerTimeMs = () => Promise.resolve((time.nowUs() + brokerOffUs) / 1000n)
  const guard = new ClockGuard({ clock, brokerTimeMs, limits })
  const beat = (offUs = 0n): void => guard.heard(time.nowUs() + offUs)
  return { time, own, clock, guard, beat, posNow: asPos(time.nowUs()) }
}

describe('a stamp needs proof', () => {
  test('only when it moves pos by more than the limit', () => {
    const { guard, clock, posNow } = guarded()
    expect(guard.needsProof(posNow, clock.nowUs())).toBe(false)
    expect(guard.needsProof(asPos(posNow - 60n * secondUs), clock.nowUs())).toBe(false)
    expect(guard.needsProof(asPos(posNow - 60n * secondUs - 1n), clock.nowUs())).toBe(true)
    expect(guard.needsProof(asPos(0n), clock.nowUs())).toBe(true)
  })

  test('never when the clock went back: pos stays and is counted up', () => {
    const { guard, clock, own, posNow } = guarded()
    own.offUs = -3600n * secondUs
    expect(guard.needsProof(posNow, clock.nowUs())).toBe(false)
  })

  test('when small steps have led the clock away from the time that passed', () => {
    const { guard, clock, own } = guarded()
    own.offUs = 61n * secondUs
    // Whoever follows closely sees no jump.
    expect(guard.needsProof(asPos(clock.nowUs() - 1n), clock.nowUs())).toBe(true)
  })
})

describe('the proof', () => {
  test('stands when engine and broker agree, and is good until the next jump', async () => {
    const { guard, own, clock, beat } = guarded({ brokerOffUs: -900_000n })
    own.offUs = 61n * secondUs
    const pos = asPos(clock.nowUs() - 1n)
    own.offUs = 100_000n
    beat(-800_000n)
    expect(await guard.prove(never)).toBe('right')
    expect(guard.needsProof(pos, clock.nowUs())).toBe(false)
  })

  test.each([
    ['ahead of', 3600n],
    ['behind', -3600n],
  ])('fails when our clock is %s the engine’s', async (word, offS) => {
    const { guard, own, beat, time } = guarded()
    own.offUs = offS * secondUs
    const over = new AbortController()
    const beating = async (): Promise<void> => {
      while (!over.signal.aborted) {
        beat()
        await time.sleep(500, over.signal)
      }
    }
    const beaten = beating()
    const outcome = await guard.prove(never).catch((error: unknown) => error)
    over.abort()
    await beaten
    expect(outcome).toMatchObject({ code: 'clock-in-doubt', reason: 'refused' })
    expect((outcome as Error).message).toContain(`3600.0 s ${word} the engine’s`)
    expect(time.monotonicMs()).toBeGreaterThanOrEqual(limits.waitMs)
  })

  test('fails when engine and we agree but the broker does not', async () => {
    const { guard, beat } = guarded({ brokerOffUs: -3600n * secondUs })
    beat()
    await expect(guard.prove(never)).rejects.toMatchObject({
      code: 'clock-in-doubt',
      message: expect.stringContaining('3600.0 s ahead of the Kafka broker’s'),
    })
  })

  test('waits for a heartbeat that agrees: one that was held up looks like a slow clock', async () => {
    const { guard, beat, time } = guarded()
    beat(-30n * secondUs)
    const proving = guard.prove(never)
    expect(guard.waiting).toBe(true)
    void time.sleep(500).then(() => beat())
    expect(await proving).toBe('right')
    expect(guard.waiting).toBe(false)
    expect(time.monotonicMs()).toBeLessThan(limits.waitMs)
  })

  test('is no proof without a heartbeat, or with an old one', async () => {
    const { guard, beat, time } = guarded()
    expect(await guard.prove(never)).toBe('silent')
    beat()
    await time.sleep(limits.freshMs + 1)
    expect(await guard.prove(never)).toBe('silent')
  })

  test('ends at once when nobody waits for it any more', async () => {
    const { guard, time } = guarded()
    const over = new AbortController()
    const proving = guard.prove(over.signal)
    over.abort()
    expect(await proving).toBe('silent')
    expect(time.monotonicMs()).toBeLessThan(limits.waitMs)
  })

  test('tells that the broker could not be asked', async () => {
    const time = new TestClock()
    const brokerTimeMs = () => Promise.reject(new KafkaFailure('retriable', 'no broker'))
    const guard = new ClockGuard({ clock: time, brokerTimeMs, limits })
    guard.heard(time.nowUs())
    await expect(guard.prove(never)).rejects.toMatchObject({ kind: 'retriable' })
  })
})
