import { bySeed, byTest, type RuleMutant } from './caught-by.ts'
import { readerMutants } from './reader.ts'
import { repartitionMutants } from './repartition.ts'
import { storeMutants } from './store.ts'

const fold = 'core/fold.ts'
const owner = 'processor/settle/partition-owner.ts'
const batch = 'processor/settle/batch-fold.ts'
const commits = 'processor/settle/barrier-commits.ts'
const gate = 'processor/settle/commit-gate.ts'
const watch = 'processor/settle/node-watch.ts'
const replay = 'processor/settle/user-replay.ts'
const inRefusals = (test: string, check: string) => byTest('processor/settle/refusals', test, check)

const parked = 'exactly those are parked who must be'
const survives = 'what is committed survives a loss of power'

/** What settle does with a record before the store has it, and when it tells Kafka. */
const foldMutants: readonly RuleMutant[] = [
  {
    name: 'a change that was applied already is refused',
    rule: 'settle 4',
    file: fold,
    find: 'if (change.version <= cell.version) {',
    replace: 'if (change.version < cell.version) {',
    caughtBy: bySeed(1, parked),
  },
  {
    name: 'a change that was applied already is applied again',
    rule: 'settle 4',
    file: fold,
    find: `    if (change.version <= cell.version) {
      already++
      continue
    }
    if (change.version !== cell.version + 1n)
`,
    replace: '    if (change.version > cell.version + 1n)\n',
    caughtBy: bySeed(1, parked),
  },
  {
    name: 'of an output that is refused the changes that fit are applied',
    rule: 'settle 4',
    file: fold,
    find: 'if (change.version !== cell.version + 1n)',
    replace: 'if (change.version !== cell.version + 1n) continue\n    if (change.version < 0n)',
    caughtBy: bySeed(209, 'what is committed survives a loss of power'),
  },
  {
    name: 'what a change comes to is not compared with what the engine says',
    rule: 'settle 4',
    file: fold,
    find: 'if (available !== change.available || frozen !== change.frozen)',
    replace: 'if (available !== change.available && available < 0n)',
    caughtBy: byTest('core/fold', 'Unequal', 'to match object'),
  },
  {
    name: 'a balance may fall below zero',
    rule: 'settle 4',
    file: fold,
    find: 'if (available < 0n || frozen < 0n)',
    replace: 'if (available < 0n && frozen < 0n)',
    caughtBy: byTest('core/fold', 'Negative', 'to match object'),
  },
  {
    name: 'a user is parked though the log fills the hole',
    rule: 'settle 5',
    file: 'processor/settle/replay-users.ts',
    find: '{ afterPos: firstOf(each), beforeN: each.cause.n }',
    replace: '{ afterPos: each.cause.pos, beforeN: each.cause.n }',
    caughtBy: inRefusals('cells that the store lost are worked out again from the log', 'Property failed'),
  },
  {
    name: 'the log is read again from the newest cell of a user on',
    rule: 'settle 5',
    file: 'processor/settle/replay-users.ts',
    find: '({ wallet }) => lowestPos([...wallet.cells.values()].map(each => each.pos))',
    replace:
      '({ wallet }) => [...wallet.cells.values()].reduce((most, { pos }) => (pos > most ? pos : most), 0n as Pos)',
    caughtBy: inRefusals(
      'cells that the store lost are worked out again from the oldest of them on',
      'to deeply equal',
    ),
  },
  {
    name: 'of what is read again history is not written',
    rule: 'settle 5',
    file: 'processor/settle/replay-users.ts',
    find: 'buckets.set(user, history.take(record, bucket))',
    replace: 'buckets.set(user, new HistoryRows(rules, pack).take(record, bucket))',
    caughtBy: inRefusals(
      'cells that the store lost bring back the history that was lost with them',
      'history: expected',
    ),
  },
  {
    name: 'a Correction is applied where it stands, not in the place of its version',
    rule: 'settle 5',
    file: replay,
    find: 'if (after) return after',
    replace: '',
    caughtBy: bySeed(209, "balances are the engine's"),
  },
  {
    name: 'a Correction need not lead on from the cell',
    rule: 'settle 5',
    file: replay,
    find: 'if (cell.available + deltaAvailable !== available || cell.frozen + deltaFrozen !== frozen) return undefined',
    replace: '',
    caughtBy: inRefusals('a Redrive alone does not heal', 'expected'),
  },
  {
    name: 'what a Correction brings about keeps the pos of the outputs that waited for it',
    rule: 'settle 5',
    file: replay,
    find: "if (kind === 'UserOutput') return this.#cells",
    replace: "if (kind !== 'UserRedrive' || pos > 0n) return this.#cells",
    caughtBy: byTest('processor/settle/user-replay', 'a Correction stands in the place of its version', 'expected'),
  },
  {
    name: 'a Redrive takes anybody out of the parked',
    rule: 'settle 5',
    file: batch,
    find: "if (cause.kind !== 'UserOutput') {",
    replace: "if (cause.kind !== 'UserOutput') {\n      this.#state.parked.delete(user)",
    caughtBy: inRefusals('a Redrive alone does not heal', 'expected'),
  },
  {
    name: 'who was healed is parked again by the next owner',
    rule: 'settle 5',
    file: 'processor/settle/parked-users.ts',
    find: 'if (version < parking.version) parked.set(user, parking)',
    replace: 'if (version >= 0n) parked.set(user, parking)',
    caughtBy: inRefusals('after a restart the parked table tells who is parked', 'expected'),
  },
  {
    name: 'cells do not wait for their history',
    rule: 'settle 6',
    file: owner,
    find: 'await history\n',
    replace: 'history.catch((error: unknown) => this.#fail(error))\n',
    caughtBy: bySeed(1, 'a balance has its history'),
  },
  {
    name: 'cells do not wait for the batch before',
    rule: 'settle 7',
    file: owner,
    find: '      await before\n',
    replace: '',
    caughtBy: bySeed(1, survives),
  },
  {
    name: 'the log is read again while batches before are being written',
    rule: 'settle 5',
    file: owner,
    find: '      await this.#written\n      await',
    replace: '      await',
    caughtBy: inRefusals('is looked for once all history before is acknowledged', 'to be false'),
  },
  {
    name: 'history waits until the user is no longer parked',
    rule: 'settle 6',
    file: batch,
    find: '        this.#record(record)\n        for (',
    replace: '        if (!this.#state.parked.has(record.user)) this.#record(record)\n        for (',
    caughtBy: bySeed(209, survives),
  },
  {
    name: 'a barrier counts as acknowledged before its cells',
    rule: 'settle 7',
    file: owner,
    find: "await this.#write('cells', cells)",
    replace: "this.#write('cells', cells).catch((error: unknown) => this.#fail(error))",
    caughtBy: bySeed(38, survives),
  },
  {
    name: 'offsets are committed as soon as their barrier is acknowledged',
    rule: 'settle 7',
    file: gate,
    find: 'each => each.acknowledgedMs + this.#holdMs <= nowMs',
    replace: 'each => each.acknowledgedMs <= nowMs',
    caughtBy: bySeed(1, survives),
  },
  {
    name: 'with a barrier that is old enough the newest is committed',
    rule: 'settle 7',
    file: gate,
    find: 'return ripe ? { progress: ripe.progress,',
    replace: 'return ripe ? { progress: (this.#held.at(-1) ?? ripe).progress,',
    caughtBy: bySeed(2, survives),
  },
  {
    name: 'offsets are committed anywhere, not at barriers only',
    rule: 'settle 7',
    file: owner,
    find: "if (record.kind === 'Barrier') barriers.push({ barrier: record, offset })",
    replace:
      "barriers.push({ barrier: { flow: [], ns: [], previous: 0n, ...record, kind: 'Barrier' } as unknown as Barrier, offset })",
    caughtBy: bySeed(1, 'offsets are committed at barriers'),
  },
  {
    name: 'nobody minds that a node restarted',
    rule: 'settle 7',
    file: watch,
    find: 'if (is.generation !== was.generation)',
    replace: 'if (is.generation === undefined)',
    caughtBy: byTest('processor/settle/node-watch', 'a restart', 'to be'),
  },
  {
    name: 'nobody minds that a node fell silent',
    rule: 'settle 7',
    file: watch,
    find: 'if (was.answered && !is.answered)',
    replace: 'if (was.answered === undefined)',
    caughtBy: bySeed(11, 'each quorum has the same'),
  },
  {
    name: 'a node that comes back counts as silent all along',
    rule: 'settle 7',
    file: commits,
    find: 'await this.#hearNodes()\n',
    replace: '',
    caughtBy: byTest(
      'processor/settle/barrier-commits',
      'a node that was silent, comes back between two commits',
      'to deeply equal',
    ),
  },
  {
    name: 'nodes are not asked anew before a commit',
    rule: 'settle 7',
    file: watch,
    find: 'if (!this.#asking || this.#asking.startedMs < sinceMs)',
    replace: 'if (!this.#asking)',
    caughtBy: bySeed(3, 'each quorum has the same'),
  },
  {
    name: 'a sync period below that of the store will do',
    rule: 'settle 7',
    file: 'processor/settle/settle.ts',
    find: 'if (toldMs !== null && toldMs > storeSyncMs)',
    replace: 'if (toldMs !== null && toldMs < 0)',
    caughtBy: byTest('processor/settle/settle', "a sync period below the store's is refused", 'instead of rejecting'),
  },
  {
    name: 'the sums leave parked users out',
    rule: 'settle 8',
    file: batch,
    find: 'for (const { value } of record.changes) this.#add(value)',
    replace: 'if (!this.#state.parked.has(record.user)) for (const { value } of record.changes) this.#add(value)',
    caughtBy: bySeed(209, 'conservation raises no false alarm'),
  },
  {
    name: 'the sums leave Corrections out',
    rule: 'settle 8',
    file: batch,
    find: '        this.#add(correctionChange(record.correction))\n',
    replace: '',
    caughtBy: bySeed(3, 'conservation raises no false alarm'),
  },
  {
    name: 'the sums go on over a barrier',
    rule: 'settle 8',
    file: batch,
    find: '    sums.clear()\n',
    replace: '',
    caughtBy: bySeed(1, 'one key, one pos, two values'),
  },
  {
    name: 'money that is not conserved is no alarm',
    rule: 'settle 8',
    file: 'processor/settle/conservation.ts',
    find: 'this.#broken = true',
    replace: 'this.#broken = false',
    caughtBy: byTest('processor/settle/conservation', 'unequal sums are an alarm that stays', 'expected'),
  },
  {
    name: 'a sum that stays missing is no alarm',
    rule: 'settle 8',
    file: 'processor/settle/conservation.ts',
    find: 'interval.alarmed = true',
    replace: 'interval.alarmed = false',
    caughtBy: byTest(
      'processor/settle/conservation',
      'a row that stays missing is an alarm until it comes',
      'expected',
    ),
  },
]

/** The rules of docs/design.md from the log to the store, in its order. */
export const settleMutants: readonly RuleMutant[] = [
  ...repartitionMutants,
  ...readerMutants,
  ...storeMutants,
  ...foldMutants,
]
