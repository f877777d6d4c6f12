import { expect, test } from 'vitest'
import { pos } from '../../core/ids.ts'
import type { Progress } from '../../runtime/reader/progress.ts'
import { CommitGate } from './commit-gate.ts'
import { settleLimits } from './limits.ts'

const at = (offset: bigint): Progress => ({ offset, n: offset, pos: pos(offset) })

test('a barrier may be committed once it has been acknowledged for the hold, the newest of those', () => {
  const gate = new CommitGate({ holdMs: 100 })
  gate.acknowledged(at(1n), 1000)
  gate.acknowledged(at(2n), 1050)
  gate.acknowledged(at(3n), 1120)
  expect(gate.due(1099)).toBeNull()
  expect(gate.due(1100)).toEqual({ progress: at(1n), sinceMs: 1100 })
  expect(gate.due(1200)).toEqual({ progress: at(2n), sinceMs: 1150 })
  expect(gate.held).toBe(3)
  gate.passed(at(2n))
  expect(gate.held).toBe(1)
  expect(gate.due(1219)).toBeNull()
  expect(gate.due(1220)).toEqual({ progress: at(3n), sinceMs: 1220 })
})

test('barriers that can not be committed for very long are thinned out, the newest stays', () => {
  const gate = new CommitGate({ holdMs: 0 })
  for (let offset = 1; offset <= settleLimits.heldBarriers + 10; offset++) gate.acknowledged(at(BigInt(offset)), offset)
  expect(gate.held).toBeLessThan(settleLimits.heldBarriers)
  expect(gate.due(10 ** 9)?.progress.offset).toBe(BigInt(settleLimits.heldBarriers + 10))
})
