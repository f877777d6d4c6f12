import { byTest, type RuleMutant } from './caught-by.ts'

const reader = 'runtime/reader/reader.ts'
const groups = 'ops/init/groups.ts'
const inReader = (test: string, check: string) => byTest('runtime/reader/reader', test, check)
const inReplay = (test: string, check: string) => byTest('ops/replay/replay', test, check)
const inInit = (test: string, check: string) => byTest('ops/init/kafka-places', test, check)

const rule = 'Readers of user.outputs'

/** Where a reader of `user.outputs` starts, what it hands on, and who may set it back. */
export const readerMutants: readonly RuleMutant[] = [
  {
    name: 'what is not committed is read',
    rule,
    file: 'runtime/kafka/private-cluster.ts',
    find: 'const readCommitted = 1',
    replace: 'const readCommitted = 0',
    caughtBy: {
      project: 'int',
      file: 'test/int/kafka.int.test.ts',
      test: 'a transaction that is open hides itself and everything behind it',
      check: 'expected',
    },
  },
  {
    name: 'n may jump',
    rule,
    file: 'runtime/reader/numbering.ts',
    find: 'if (next.n !== previous.n + 1n)',
    replace: 'if (next.n <= previous.n)',
    caughtBy: byTest('runtime/reader/numbering', 'records of user.outputs never do otherwise', 'n is 3 after 1'),
  },
  {
    name: 'n may come twice',
    rule,
    file: 'runtime/reader/numbering.ts',
    find: 'if (next.n !== previous.n + 1n)',
    replace: 'if (next.n > previous.n + 1n)',
    caughtBy: byTest('runtime/reader/numbering', 'records of user.outputs never do otherwise', 'n is 1 after 1'),
  },
  {
    name: 'what does not follow is handed on',
    rule,
    file: reader,
    find: 'if (problem !== null)\n',
    replace: "if (problem === '')\n",
    caughtBy: inReader('a reader stops at a hole in n', 'instead of rejecting'),
  },
  {
    name: 'a group without an offset reads from the beginning',
    rule,
    file: reader,
    find: 'if (!committed)\n',
    replace: "if (!committed) return { offset: 0n, n: 0n, pos: 0n as Progress['pos'] }\n    if (!committed)\n",
    caughtBy: inReader('a reader stops without a committed offset', 'instead of rejecting'),
  },
  {
    name: 'an offset that somebody else committed will do',
    rule,
    file: reader,
    find: 'const start = fromCommitted(committed)\n',
    replace: "const start = fromCommitted(committed) ?? { offset: 0n, n: 0n, pos: 0n as Progress['pos'] }\n",
    caughtBy: inReader('a reader stops at an offset that somebody else committed', 'instead of rejecting'),
  },
  {
    name: 'an offset beyond the topic is waited for',
    rule,
    file: reader,
    find: 'if (start.offset < low || start.offset > end)',
    replace: 'if (start.offset < low)',
    caughtBy: inReader('a reader stops at an offset beyond the topic', 'to match object'),
  },
  {
    name: 'what retention has taken is passed over',
    rule,
    file: reader,
    find: 'if (start.offset < low || start.offset > end)',
    replace: 'if (start.offset > end)',
    caughtBy: inReader('a reader stops at an offset that retention has taken away', 'to match object'),
  },
  {
    name: 'the record before the offset may have another n',
    rule,
    file: reader,
    find: 'if (place.n !== start.n || place.pos !== start.pos)',
    replace: 'if (place.pos !== start.pos)',
    caughtBy: inReader(
      'a reader stops when the record before its offset is not the one it read: n=2 pos=10',
      'to match object',
    ),
  },
  {
    name: 'the record before the offset may have another pos',
    rule,
    file: reader,
    find: 'if (place.n !== start.n || place.pos !== start.pos)',
    replace: 'if (place.n !== start.n)',
    caughtBy: inReader(
      'a reader stops when the record before its offset is not the one it read: n=1 pos=11',
      'instead of rejecting',
    ),
  },
  {
    name: 'workers of an assignment do not wait for those of the one before',
    rule,
    file: reader,
    find: 'this.#running = this.#running.then(async () => {',
    replace: 'this.#running = Promise.resolve().then(async () => {',
    caughtBy: inReader(
      'when assignments change the workers of the one before have closed before new ones open',
      'expected',
    ),
  },
  {
    name: 'settle init sets back a group that has read on',
    rule,
    file: groups,
    find: 'if (committed.size === 0)',
    replace: 'if (committed.size >= 0)',
    caughtBy: inInit('a new stream a second run changes nothing, also after the groups have read on', 'expected'),
  },
  {
    name: 'settle init gives first offsets to a group that reads',
    rule,
    file: groups,
    find: 'if (members.length > 0)',
    replace: 'if (members.length < 0)',
    caughtBy: inInit('a group that reads already without offsets', 'to match object'),
  },
  {
    name: 'a group that reads is set back',
    rule,
    file: 'ops/replay/replay.ts',
    find: 'if (members.length === 0) return',
    replace: 'if (members.length >= 0) return',
    caughtBy: inReplay('is refused, and nothing is sent or set while the group has members', 'expected'),
  },
  {
    name: 'a group is set back to the place before its barrier',
    rule,
    file: 'ops/replay/target.ts',
    find: 'return { offset: found.offset + 1n, n: found.record.n, pos }',
    replace: 'return { offset: found.offset, n: found.record.n, pos }',
    caughtBy: inReplay('a group is set back to just after a barrier', 'expected'),
  },
  {
    name: 'a partition that commits nothing for long is no alarm',
    rule,
    file: 'processor/settle/barrier-commits.ts',
    find: 'metrics.stalled.set({ partition }, stalled ? 1 : 0)',
    replace: 'metrics.stalled.set({ partition }, 0)',
    caughtBy: byTest(
      'processor/settle/barrier-commits',
      'a barrier that can not be committed for long is an alarm',
      'expected',
    ),
  },
]
