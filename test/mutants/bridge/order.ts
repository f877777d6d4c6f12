import type { Mutant } from '../mutant.ts'
import { byBridge, byBuffer, bySequencer, sequencer } from './places.ts'

/** One order, nothing left out, nothing twice, each chain proven. */
export const order: readonly Mutant[] = [
  {
    name: 'a gap is skipped',
    file: sequencer,
    find: 'return at.seq > this.#at.seq + 1n ? this.#keep(frame) : this.#next(',
    replace: 'return this.#next(',
    caughtBy: bySequencer('an engine that keeps no chain is asked for what is missing, though no chain shows the hole'),
  },
  {
    name: 'an output is taken again',
    file: sequencer,
    find: "if (at.seq <= this.#at.seq) return [{ kind: 'drop', reason: 'seen', at }]",
    replace: '',
    caughtBy: bySequencer('an engine that keeps no chain has no output taken twice'),
  },
  {
    name: 'the chain of an output is not checked',
    file: sequencer,
    find: 'if (at.chain && !chain.equals(at.chain)) {',
    replace: 'if (at.chain && at.chain.length === 0) {',
    caughtBy: bySequencer('stops on a chain that does not follow'),
  },
  {
    name: 'the chain of a heartbeat is not checked',
    file: sequencer,
    find: 'if (at.seq !== this.#at.seq || !at.chain || at.chain.equals(this.#at.chain)) return []',
    replace: 'if (at.seq >= 0n) return []',
    caughtBy: bySequencer('stops on a heartbeat with another chain at the same seq'),
  },
  {
    name: 'a new session needs no proof that the old one is complete',
    file: sequencer,
    find: 'at.seq === 1n && (at.chain ? nextChain(this.#at.chain, payload).equals(at.chain) : this.#mayBeginUnchained())',
    replace: 'at.seq === 1n',
    caughtBy: bySequencer('takes a new session by its first output only when that extends the chain'),
  },
  {
    name: "a heartbeat's new session needs no proof that the old one is complete",
    file: sequencer,
    find: 'at.seq === 0n && (at.chain ? at.chain.equals(this.#at.chain) : this.#mayBeginUnchained())',
    replace: 'at.seq === 0n',
    caughtBy: bySequencer('begins the next by a heartbeat that starts where this one stands, and by no other'),
  },
  {
    name: 'without a chain any session may begin',
    file: sequencer,
    find: 'return this.#over || (this.#at.epoch === noSession && !this.#replays)',
    replace: 'return true',
    caughtBy: bySequencer('begins its next session only when the end of this one was told'),
  },
  {
    name: 'a lower epoch is taken for a later session',
    file: sequencer,
    find: "return this.#finished && sameSession(at, this.#finished) ? 'finished-session' : 'lower-epoch'",
    replace: "return 'later'",
    caughtBy: bySequencer('drops another engine of the same epoch, and lower epochs'),
  },
  {
    name: 'another engine of the same epoch is taken for ours',
    file: sequencer,
    find: "if (at.epoch === now.epoch) return 'foreign-session'",
    replace: "if (at.epoch === now.epoch) return 'this'",
    caughtBy: bySequencer('drops another engine of the same epoch, and lower epochs'),
  },
  {
    name: 'the session after may come before',
    file: sequencer,
    find: 'if (next.epoch <= now.epoch)',
    replace: 'if (next.epoch < 0n)',
    caughtBy: bySequencer('stops when the session after does not come after'),
  },
  {
    name: 'TRIMMED is ignored',
    file: sequencer,
    find: "if (place === 'this' && at.seq <= now.seq) return []",
    replace: 'if (at.seq >= 0n) return []',
    caughtBy: bySequencer('stops on TRIMMED that leaves a hole, and passes over one that does not'),
  },
  {
    name: 'an engine that lost outputs is believed',
    file: sequencer,
    find: 'if (at.seq < now.seq && !over) return []',
    replace: 'if (at.seq < now.seq) return []',
    caughtBy: bySequencer('stops when the engine ends before what is durable'),
  },
  {
    name: 'an engine with a history is taken into an empty log',
    file: sequencer,
    find: 'if (at.chain && !at.chain.equals(zeroChain))',
    replace: 'if (at.chain && at.chain.length === 0)',
    caughtBy: bySequencer('stops on a history that begins before an empty log'),
  },
  {
    name: 'a lost tail is not seen',
    file: sequencer,
    find: `    if (place !== 'this') return [{ kind: 'drop', reason: place, at }]
    if (at.seq > this.#highest) this.#highest = at.seq
`,
    replace: "    if (place !== 'this') return [{ kind: 'drop', reason: place, at }]\n",
    caughtBy: bySequencer('sees the loss of the last message by the heartbeat'),
  },
  {
    name: 'a hole of an engine that can not replay is waited for',
    file: sequencer,
    find: `    if (at.seq > this.#highest) this.#highest = at.seq
    if (!this.#replays) return [this.#gap(at, null)]
`,
    replace: '    if (at.seq > this.#highest) this.#highest = at.seq\n',
    caughtBy: bySequencer('stops on a hole, and says how to go on'),
  },
  {
    name: 'an output that is refused is left out',
    file: sequencer,
    find: `        effects.push(halt(found.code, message, next))
        return effects`,
    replace: `        this.#at = next
        continue`,
    caughtBy: bySequencer('is the way past an output that can not be taken'),
  },
  {
    name: 'an output that nobody can read is left out',
    file: sequencer,
    find: "if (found.kind === 'refused') {",
    replace: `if (found.kind === 'refused' && found.code === 'undecodable-output') {
        this.#at = next
        continue
      }
      if (found.kind === 'refused') {`,
    caughtBy: byBridge('a bridge refuses an output that nobody can read'),
  },
  {
    name: 'an output of any size is taken',
    file: 'bridge/inspect-output.ts',
    find: 'if (payload.length > maxOutputBytes)',
    replace: 'if (payload.length < 0)',
    caughtBy: byBridge('a bridge refuses an output that is too large'),
  },
  {
    name: 'outputs are not read before they are written',
    file: 'bridge/inspect-output.ts',
    find: 'return { kind: recordKindOf(payload) }',
    replace: "return { kind: payload.length === 0 ? recordKindOf(payload) : 'Output' }",
    caughtBy: byBridge('a bridge refuses an output that nobody can read'),
  },
  {
    name: 'what waits for its turn has no bound by count',
    file: 'bridge/reorder-buffer.ts',
    find: 'this.#frames.size >= this.#maxCount || ',
    replace: '',
    caughtBy: byBuffer('what waits is bounded by count'),
  },
  {
    name: 'what waits for its turn has no bound by bytes',
    file: 'bridge/reorder-buffer.ts',
    find: ' || this.#bytes + payload.length > this.#maxBytes',
    replace: '',
    caughtBy: byBuffer('what waits is bounded by bytes'),
  },
  {
    name: 'what waits for its turn stays in the memory it came in',
    file: 'bridge/reorder-buffer.ts',
    find: 'payload: Buffer.from(payload)',
    replace: 'payload',
    caughtBy: byBuffer('what waits is a copy'),
  },
]
