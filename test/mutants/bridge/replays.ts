import type { Mutant } from '../mutant.ts'
import { byBridge, bySequencer, pacer, term } from './places.ts'

/** What is missing is asked for, once at a time, later and later. */
export const replays: readonly Mutant[] = [
  {
    name: 'a replay is asked for again without backoff',
    file: pacer,
    find: 'this.#waitMs = Math.min(this.#waitMs * 2, this.#limits.replayTimeoutMaxMs)',
    replace: '',
    caughtBy: bySequencer('asks again later and later while nothing comes'),
  },
  {
    name: 'a replay is asked for while one is under way',
    file: pacer,
    find: 'if (this.#request && nowMs - this.#request.askedMs < this.#request.waitMs) return null',
    replace: '',
    caughtBy: bySequencer('asks again later and later while nothing comes'),
  },
  {
    name: 'the END of an older answer asks anew',
    file: pacer,
    find: 'if (this.#request && seq >= this.#request.to) this.#request = null',
    replace: 'this.#request = null',
    caughtBy: bySequencer('are not doubled for ever because one was late'),
  },
  {
    name: 'a malformed live message stops the stream',
    file: term,
    find: "if (source === 'replay' || !this.#link.replays)",
    replace: "if (source === 'replay' || this.#link.replays)",
    caughtBy: byBridge('a malformed live message is dropped, and what it stood for is replayed'),
  },
  {
    name: 'what a malformed live message stood for is not missed',
    file: term,
    find: `      this.#sequencer.lost()
      return null`,
    replace: '      return null',
    caughtBy: byBridge('a malformed live message is dropped, and what it stood for is replayed'),
  },
  {
    name: 'a malformed message of an answer is dropped',
    file: term,
    find: "if (source === 'replay' || !this.#link.replays)",
    replace: 'if (!this.#link.replays)',
    caughtBy: byBridge('a bridge refuses a malformed message of an answer'),
  },
  {
    name: 'a malformed message of an engine that can not replay is dropped',
    file: term,
    find: "if (source === 'replay' || !this.#link.replays)",
    replace: "if (source === 'replay')",
    caughtBy: byBridge('a bridge refuses a malformed live message of an engine that can not replay'),
  },
]
