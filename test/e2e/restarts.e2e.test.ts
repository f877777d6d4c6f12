import { beforeAll, expect, test } from 'vitest'
import { type Stack, up } from '../../local/stack.ts'
import type { EngineDump } from '../../sim/demo/engine-dump.ts'
import type { Pipeline } from '../../sim/pipeline/pipeline.ts'
import { serviceNames } from '../../sim/pipeline/services.ts'
import { newStream, type Outcome, runToTheEnd } from '../pipeline/run-to-the-end.ts'

const flow = { ENGINE_SEED: '7', ENGINE_USERS: '60', ENGINE_ORDERS: '3000' }
const restartsOfEach = 10
/** Outputs a second: the flow lasts about as long as the restarts do. */
const slowly = { ENGINE_RATE: '120' }

let stack: Stack
let first: Outcome
beforeAll(async () => {
  stack = await up()
  first = await runToTheEnd(stack, { stream: newStream('first'), engine: flow })
})

/** What must not depend on when the engine ran, nor on how often anything was restarted. */
const booksOf = ({ balances, openOrders, orderStates, outputs, trades, chain }: EngineDump) => ({
  balances,
  openOrders,
  orderStates,
  outputs,
  trades,
  chain,
})

const expectEqual = ({ verify, differences }: Outcome): void => {
  expect(differences).toEqual([])
  expect(verify.text).toMatch(/^verify: equal$/m)
  expect(verify.text).toContain("covers the log's last Output")
  expect(verify.exitCode).toBe(0)
}

test('all places hold what the engine said', () => {
  expectEqual(first)
  expect(first.dump.balances.length).toBeGreaterThan(100)
  expect(BigInt(first.dump.trades)).toBeGreaterThan(500n)
})

test('the same seed gives the same balances', async () => {
  const second = await runToTheEnd(stack, { stream: newStream('second'), engine: flow })
  expectEqual(second)
  expect(booksOf(second.dump)).toEqual(booksOf(first.dump))
})

test('ten restarts of every process during the run change nothing', async () => {
  let restartsWhileRunning = 0
  const restartEach = async (pipeline: Pipeline): Promise<void> => {
    const restart = async (name: 'engine' | (typeof serviceNames)[number]): Promise<void> => {
      for (let time = 0; time < restartsOfEach; time++) {
        await pipeline.restart(name)
        if (!pipeline.engine.progress.isDone) restartsWhileRunning++
      }
    }
    await Promise.all((['engine', ...serviceNames] as const).map(restart))
  }
  const third = await runToTheEnd(stack, {
    stream: newStream('third'),
    engine: { ...flow, ...slowly },
    meanwhile: restartEach,
  })
  expectEqual(third)
  expect(booksOf(third.dump)).toEqual(booksOf(first.dump))
  // Most of the sixty fell into the flow, whatever this machine's pace.
  expect(restartsWhileRunning).toBeGreaterThan(30)
})
