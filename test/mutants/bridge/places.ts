import type { Mutant } from '../mutant.ts'

export const sequencer = 'bridge/sequencer.ts'
export const writer = 'bridge/log-writer.ts'
export const term = 'bridge/term.ts'
export const clock = 'bridge/clock-guard.ts'
export const commands = 'bridge/operator-commands.ts'
export const pacer = 'bridge/replay-pacer.ts'
export const leadership = 'runtime/leadership.ts'
export const unit =
  (file: string) =>
  (test: string): Mutant['caughtBy'] => ({ project: 'unit', file, test })
export const bySequencer = unit('bridge/sequencer.unit.test.ts')
export const byBuffer = unit('bridge/reorder-buffer.unit.test.ts')
export const byBridge = unit('bridge/bridge.unit.test.ts')
export const byClock = unit('bridge/clock-guard.unit.test.ts')
export const byCommands = unit('bridge/operator-commands.unit.test.ts')
export const byLeadership = unit('runtime/leadership.unit.test.ts')
export const byJson = unit('bridge/dialects/json.unit.test.ts')
export const byLink = unit('test/cross/engine-link.unit.test.ts')

export const commit =
  'await this.#writer.commitBatch({ records, ...(answered ? { groupOffset: this.#answered(answered) } : {}) })'
