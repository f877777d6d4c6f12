import type { Mutant } from '../mutant.ts'
import { byBridge, byClock, clock, term, writer } from './places.ts'

/** pos only rises, and a wrong clock stays out of it. */
export const time: readonly Mutant[] = [
  {
    name: 'pos is what the clock says',
    file: writer,
    find: 'nowUs > this.#pos ? nowUs : this.#pos + 1n',
    replace: 'nowUs',
    caughtBy: byBridge('stamps above the last pos though the clock went back'),
  },
  {
    name: 'no stamp waits for proof',
    file: writer,
    find: 'if (!this.#guard.needsProof(this.#pos, nowUs)) return true',
    replace: 'if (nowUs > 0n) return true',
    caughtBy: byBridge('a bridge refuses to stamp by a clock that the broker contradicts'),
  },
  {
    name: 'a jump of the clock is not noticed',
    file: clock,
    find: 'return nowUs - pos > jumpUs || distance',
    replace: 'return distance',
    caughtBy: byClock('only when it moves pos by more than the limit'),
  },
  {
    name: 'a creeping clock is not noticed',
    file: clock,
    find: ' || distance(nowUs, expectedUs) > jumpUs',
    replace: '',
    caughtBy: byClock('when small steps have led the clock away from the time that passed'),
  },
  {
    name: "the engine's clock is not asked",
    file: clock,
    find: "if ((await this.#engineAgrees(signal)) === 'silent') return 'silent'",
    replace: "if (signal.aborted) return 'silent'",
    caughtBy: byClock('fails when our clock is'),
  },
  {
    name: "an old heartbeat tells the engine's time",
    file: clock,
    find: 'return ageMs > limits.freshMs ? null : this',
    replace: 'return ageMs < 0 ? null : this',
    caughtBy: byClock('is no proof without a heartbeat, or with an old one'),
  },
  {
    name: "a stranger's heartbeat tells the engine's time",
    file: term,
    find: "source === 'live' && !effects.some(({ kind }) => kind === 'drop'))",
    replace: "source === 'live')",
    caughtBy: byBridge('stamps nothing by the clock of a stranger'),
  },
  {
    name: "the broker's clock is not asked",
    file: clock,
    find: '    await this.#brokerAgrees()\n',
    replace: '',
    caughtBy: byClock('fails when engine and we agree but the broker does not'),
  },
]
