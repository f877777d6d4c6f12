import type { Mutant } from '../mutant.ts'
import { byBridge, bySequencer, sequencer, term } from './places.ts'

/** A live frame may be a stranger's: it neither stops the stream nor is believed against the log. */
export const strangers: readonly Mutant[] = [
  {
    name: 'a live frame may stop the stream',
    file: sequencer,
    find: "const word = source === 'live' && this.#replays ? 'to be confirmed' : 'final'",
    replace: "const word: Word = source === 'live' ? 'final' : 'final'",
    caughtBy: bySequencer('asks the engine again before it believes a live frame that contradicts the log'),
  },
  {
    name: 'a live frame that was kept may stop the stream',
    file: sequencer,
    find: "frame === first || !this.#replays ? word : 'to be confirmed'",
    replace: "frame === first || !this.#replays ? word : 'final'",
    caughtBy: bySequencer('asks the engine again for what it kept and can not be true, too'),
  },
  {
    name: 'a live frame that contradicts the log is forgotten',
    file: sequencer,
    find: `    this.lost()
    return { kind: 'drop', reason: 'unproven', at }`,
    replace: "    return { kind: 'drop', reason: 'unproven', at }",
    caughtBy: bySequencer('asks the engine again before it believes a live frame that contradicts the log'),
  },
  {
    name: 'what a live frame claims is waited for, whatever the engine says',
    file: sequencer,
    find: 'this.#highest = at.seq > now.seq ? at.seq : now.seq',
    replace: 'if (at.seq > this.#highest) this.#highest = at.seq',
    caughtBy: bySequencer('believes the engine over a live word of what it has sent'),
  },
  {
    name: 'what is far ahead is kept',
    file: sequencer,
    find: "const kept = isFar ? 'buffer-full' : this.#buffer.add(frame)",
    replace: 'const kept = this.#buffer.add(frame)',
    caughtBy: bySequencer('believes the engine over a live word of what it has sent'),
  },
  {
    name: 'an answer on the live socket is believed',
    file: term,
    find: "if (source === 'live' && (frame.kind === 'END' || frame.kind === 'TRIMMED'))",
    replace: "if (source === 'live' && frame.kind === 'END' && frame.at.seq < 0n)",
    caughtBy: byBridge('a bridge refuses a history that differs from the log'),
  },
]
