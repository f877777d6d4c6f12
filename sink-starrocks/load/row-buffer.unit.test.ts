import { describe, expect, it } from 'vitest'
import { TestClock } from '../../runtime/testing/test-clock.ts'
import type { ProgressOwner } from './batch.ts'
import { limits } from './limits.ts'
import { RowBuffer } from './row-buffer.ts'
import type { TableRow } from './rows.ts'

const rule = { ms: 1_000, rows: 10, bytes: 1_000_000 }
const { signal } = new AbortController()
const owner: ProgressOwner = { partition: 0, commit: async () => {} }
const row: TableRow = { table: 'trades', cells: [1n], latest: null }

const addTo = (buffer: RowBuffer, rows = 1): Promise<void> =>
  buffer.add(owner, { offset: 1n, n: 1n, pos: 1n as never }, { rows: Array.from({ length: rows }, () => row), signal })

/** After how many milliseconds of its clock a flush is due. */
const dueAfterMs = async (buffer: RowBuffer, clock: TestClock): Promise<number> => {
  const beganMs = clock.monotonicMs()
  await buffer.due(signal)
  return clock.monotonicMs() - beganMs
}

/** A buffer that has just been flushed. */
const flushed = async (clock: TestClock): Promise<RowBuffer> => {
  const buffer = new RowBuffer(clock, rule)
  await addTo(buffer)
  await buffer.due(signal)
  buffer.take()
  return buffer
}

describe('RowBuffer', () => {
  it('gives what comes after a pause no longer than what comes with it takes', async () => {
    const clock = new TestClock()
    const buffer = new RowBuffer(clock, rule)
    await clock.sleep(10_000)
    await addTo(buffer)
    expect(await dueAfterMs(buffer, clock)).toBe(limits.gatherMs)
  })

  it('flushes a flow that goes on once in its time, whenever the first of a batch came', async () => {
    const clock = new TestClock()
    const buffer = await flushed(clock)
    await clock.sleep(300)
    await addTo(buffer)
    expect(await dueAfterMs(buffer, clock)).toBe(700)
  })

  it('flushes at once what is full', async () => {
    const clock = new TestClock()
    const buffer = await flushed(clock)
    await addTo(buffer, rule.rows)
    expect(await dueAfterMs(buffer, clock)).toBe(0)
  })
})
