import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import type { UserRecord } from '../../core/events.ts'
import type { Progress } from '../../runtime/reader/progress.ts'
import type { ReadRecord } from '../../runtime/reader/reader.ts'
import type { LoadRequest, LoadVerdict, StreamLoadPort } from '../../runtime/starrocks/stream-load-port.ts'
import { DisplayUnits } from './display-units.ts'
import { limits } from './limits.ts'
import { LoadRound, type RoundEvents } from './load-round.ts'
import { FakeStarRocks } from './testing/fake-starrocks.ts'
import { TestClock } from '../../runtime/testing/test-clock.ts'
import { userTopic } from './testing/user-topic.ts'

const quiet: RoundEvents = {
  state: () => {},
  taken: () => {},
  verdict: () => {},
  loaded: () => {},
  committed: () => {},
  flushed: () => {},
}
/** Reference data alone: four rows in three tables. */
const records = (userTopic([], { partitions: 1, barrierEvery: 1 })[0] as UserRecord[]).slice(0, 1)
const numbered = (n: number): ReadRecord<UserRecord>[] =>
  records.map(record => ({ offset: BigInt(n), record: { ...record, n: BigInt(n) }, value: Buffer.alloc(0) }))

const roundOn = (port: StreamLoadPort, clock: TestClock, rows = 4): LoadRound =>
  new LoadRound({
    port,
    clock,
    log: pino({ level: 'silent' }),
    stream: 'test',
    database: 'test',
    rule: { ms: 100, rows, bytes: 1_000_000 },
    units: new DisplayUnits(),
    newBatchId: () => 'batch',
    events: quiet,
  })

const settled = async (promise: Promise<unknown>): Promise<'settled' | 'pending'> => {
  let state: 'settled' | 'pending' = 'pending'
  const watched = promise.finally(() => {
    state = 'settled'
  })
  watched.catch(() => {})
  for (let turn = 0; turn < 50; turn++) await new Promise(resolve => setImmediate(resolve))
  return state
}

/** Takes every load and answers when told. */
class HeldStarRocks implements StreamLoadPort {
  readonly requests: LoadRequest[] = []
  readonly #held: ((verdict: LoadVerdict) => void)[] = []

  load(request: LoadRequest, signal?: AbortSignal): Promise<LoadVerdict> {
    this.requests.push(request)
    return new Promise(resolve => {
      this.#held.push(resolve)
      signal?.addEventListener('abort', () => resolve({ kind: 'poll', reason: 'cut' }))
    })
  }
  async labelState(): Promise<LoadVerdict> {
    return { kind: 'poll', reason: 'running' }
  }
  release(): void {
    for (const resolve of this.#held.splice(0)) resolve({ kind: 'done' })
  }
}

describe('LoadRound', () => {
  it('goes on for the others when one partition closes alone', async () => {
    const clock = new TestClock()
    const round = roundOn(new FakeStarRocks(), clock)
    const committed: Progress[] = []
    const { signal } = new AbortController()
    const leaving = round.open(0, { commit: async () => {}, signal })
    const staying = round.open(1, { commit: async progress => void committed.push(progress), signal })
    await leaving.close()
    expect(round.isEnding).toBe(false)
    await staying.take(numbered(7))
    expect(await settled(staying.take([]))).toBe('settled')
    expect(committed).toMatchObject([{ n: 7n, offset: 8n }])
    await staying.close()
    expect(round.isEnding).toBe(true)
  })

  it('has two batches on their way at most, in no more lanes than there are, and takes one more', async () => {
    const starrocks = new HeldStarRocks()
    const round = roundOn(starrocks, new TestClock())
    const worker = round.open(0, { commit: async () => {}, signal: new AbortController().signal })
    for (const n of [1, 2, 3]) expect(await settled(worker.take(numbered(n)))).toBe('settled')
    const fourth = worker.take(numbered(4))
    expect(await settled(fourth)).toBe('pending')
    expect(starrocks.requests.length).toBe(limits.tablesInFlight)
    starrocks.release()
    expect(await settled(fourth)).toBe('settled')
    expect(starrocks.requests.length).toBe(2 * limits.tablesInFlight)
  })

  it('commits nothing of a batch before the one before it is loaded', async () => {
    const held = Promise.withResolvers<LoadVerdict>()
    const requests: string[] = []
    const port: StreamLoadPort = {
      load: ({ label }) => {
        requests.push(label)
        return requests.length === 1 ? held.promise : Promise.resolve({ kind: 'done' })
      },
      labelState: async () => ({ kind: 'poll', reason: 'running' }),
    }
    const round = roundOn(port, new TestClock())
    const committed: bigint[] = []
    const commit = async ({ n }: Progress): Promise<void> => void committed.push(n)
    const worker = round.open(0, { commit, signal: new AbortController().signal })
    await worker.take(numbered(1))
    await worker.take(numbered(2))
    await settled(Promise.resolve())
    expect({ committed, requests: requests.length }).toEqual({ committed: [], requests: 2 * limits.tablesInFlight })
    held.resolve({ kind: 'done' })
    await settled(Promise.resolve())
    expect(committed).toEqual([1n, 2n])
  })

  it('loads the next batch while one is committed, and commits one after the other', async () => {
    const starrocks = new HeldStarRocks()
    const round = roundOn(starrocks, new TestClock())
    const asked: bigint[] = []
    const first = Promise.withResolvers<void>()
    const commit = async ({ n }: Progress): Promise<void> => {
      asked.push(n)
      if (n === 1n) await first.promise
    }
    const worker = round.open(0, { commit, signal: new AbortController().signal })
    await worker.take(numbered(1))
    await worker.take(numbered(2))
    await settled(Promise.resolve())
    starrocks.release()
    await settled(Promise.resolve())
    const second = starrocks.requests.length
    expect({ asked, second }).toEqual({ asked: [1n], second: 2 * limits.tablesInFlight })
    starrocks.release()
    await settled(Promise.resolve())
    expect(asked).toEqual([1n])
    first.resolve()
    await settled(Promise.resolve())
    expect(asked).toEqual([1n, 2n])
  })

  it('ends when a commit fails, though nothing more comes', async () => {
    const round = roundOn(new FakeStarRocks(), new TestClock())
    const commit = (): Promise<void> => Promise.reject(new Error('no such group'))
    const worker = round.open(0, { commit, signal: new AbortController().signal })
    await worker.take(numbered(1))
    await expect(worker.failed).rejects.toThrow('no such group')
    expect(round.isEnding).toBe(true)
    await worker.close()
  })

  it('lets go of a partition that waits for room', async () => {
    const round = roundOn(new HeldStarRocks(), new TestClock())
    const over = new AbortController()
    const worker = round.open(0, { commit: async () => {}, signal: over.signal })
    await worker.take(numbered(1))
    await worker.take(numbered(2))
    const third = worker.take(numbered(3))
    over.abort()
    expect(await settled(third)).toBe('settled')
  })

  it('cuts what is still under way some time after the last partition closed, and commits nothing of it', async () => {
    const clock = new TestClock()
    const committed: Progress[] = []
    const round = roundOn(new HeldStarRocks(), clock)
    const worker = round.open(0, {
      commit: async progress => void committed.push(progress),
      signal: new AbortController().signal,
    })
    await worker.take(numbered(1))
    await settled(Promise.resolve())
    const closedMs = clock.monotonicMs()
    await worker.close()
    expect(clock.monotonicMs() - closedMs).toBeGreaterThanOrEqual(limits.closeWithinMs)
    expect(committed).toEqual([])
  })

  it('commits a load that is to become visible only when it is, or after a bound', async () => {
    for (const patience of ['visible', 'never visible'] as const) {
      const clock = new TestClock()
      let asked = 0
      const port: StreamLoadPort = {
        load: async () => ({ kind: 'committed', reason: 'Publish Timeout' }),
        labelState: async () => {
          asked++
          return patience === 'visible' && asked > 20 ? { kind: 'done' } : { kind: 'committed', reason: 'soon' }
        },
      }
      const round = roundOn(port, clock)
      const committed: number[] = []
      const worker = round.open(0, {
        commit: async () => void committed.push(clock.monotonicMs()),
        signal: new AbortController().signal,
      })
      await worker.take(numbered(1))
      for (let turn = 0; committed.length === 0 && turn < 10_000; turn++)
        await new Promise(resolve => setImmediate(resolve))
      const [atMs = 0] = committed
      if (patience === 'visible') expect(asked).toBeGreaterThan(20)
      else expect(atMs).toBeGreaterThanOrEqual(limits.visibleWithinMs)
      expect(atMs).toBeLessThan(limits.visibleWithinMs * 2)
      await worker.close()
    }
  })

  it('never sends again what was committed, even when its label is forgotten', async () => {
    let loads = 0
    const port: StreamLoadPort = {
      load: async () => {
        loads++
        return { kind: 'committed', reason: 'Publish Timeout' }
      },
      labelState: async () => ({ kind: 'retry', reason: 'the label is unknown' }),
    }
    const round = roundOn(port, new TestClock())
    const committed: Progress[] = []
    const worker = round.open(0, {
      commit: async progress => void committed.push(progress),
      signal: new AbortController().signal,
    })
    await worker.take(numbered(1))
    for (let turn = 0; committed.length === 0 && turn < 10_000; turn++)
      await new Promise(resolve => setImmediate(resolve))
    expect({ loads, commits: committed.length }).toEqual({ loads: 3, commits: 1 })
    await worker.close()
  })

  it('names the batch in its labels, and says how rows that change merge', async () => {
    const starrocks = new FakeStarRocks()
    const round = roundOn(starrocks, new TestClock())
    const worker = round.open(0, { commit: async () => {}, signal: new AbortController().signal })
    await worker.take(numbered(1))
    await settled(Promise.resolve())
    expect(starrocks.requests.map(({ label, mergeCondition }) => [label, mergeCondition])).toEqual([
      ['test_assets_batch', 'pos'],
      ['test_symbols_batch', 'pos'],
      ['test_stream_meta_batch', 'pos'],
    ])
    await worker.close()
  })
})
