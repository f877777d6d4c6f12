import type { Mutant } from '../mutant.ts'
import { byCommands, commands, commit, term, writer } from './places.ts'

/** A command acts once, where it was meant. */
export const operators: readonly Mutant[] = [
  {
    name: "a command's offset is not committed with its answer",
    file: writer,
    find: commit,
    replace: 'await this.#writer.commitBatch({ records })',
    caughtBy: byCommands('is answered once, who and why are kept, and its offset moves with its answer'),
  },
  {
    name: 'an id may act twice',
    file: commands,
    find: 'if (this.#seen.has(command.id)) return',
    replace: "if (command.id === '') return",
    caughtBy: byCommands('sent twice acts once, also when another bridge, or a later term, reads the second'),
  },
  {
    name: 'ids of earlier terms are not known',
    file: commands,
    find: 'const seen = await readSeen({ fetcher, topic: topics.commands, low: bounds.low, end: offset })',
    replace: 'const seen = new Set<string>()',
    caughtBy: byCommands('sent twice acts once, also when another bridge, or a later term, reads the second'),
  },
  {
    name: 'a Gap is accepted though the log stands elsewhere',
    file: commands,
    find: 'if (!same(after, at)) return',
    replace: 'if (after.seq < 0n) return',
    caughtBy: byCommands('is refused when it was meant for another place, or when nothing is lost'),
  },
  {
    name: 'frames are read before the command that they wait for',
    file: term,
    find: `    // A stop that an operator has answered already must find the answer.
    await this.#commands.read
`,
    replace: '',
    caughtBy: byCommands('is found by a stop that is met before the command was read'),
  },
  {
    name: 'a Gap goes on waiting though the engine delivers',
    file: term,
    find: `        if (this.#meeting)
          this.#meet({`,
    replace: `        if (this.#meeting && effect.at.seq < 0n)
          this.#meet({`,
    caughtBy: byCommands('is refused when it was meant for another place, or when nothing is lost'),
  },
  {
    name: 'a Gap waits for ever',
    file: term,
    find: 'if (!waited.signal.aborted)',
    replace: 'if (waited.signal.aborted)',
    caughtBy: byCommands('is refused when no stop comes that it could be for'),
  },
  {
    name: 'a Gap may go back',
    file: commands,
    find: 'if (sameSession && to.seq < at.seq) return',
    replace: 'if (to.seq < 0n) return',
    caughtBy: byCommands('is refused when it would go back'),
  },
  {
    name: 'a record may be admitted that is not there',
    file: commands,
    find: 'if (asked.refusedPos > desk.pos || ',
    replace: 'if (',
    caughtBy: byCommands('that nobody can read, or that admits what is not there, is refused'),
  },
  {
    name: 'a log whose restore was cut is gone on with',
    file: commands,
    find: 'if (metadata === restoreMark.begun)',
    replace: 'if (metadata === restoreMark.begun && offset < 0n)',
    caughtBy: byCommands('a log whose restore was cut is not gone on from; once the restore is done it is'),
  },
]
