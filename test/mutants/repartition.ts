import { bySeed, byTest, type RuleMutant } from './caught-by.ts'

const recovery = 'processor/repartition/recovery.ts'
const repartitioner = 'processor/repartition/repartitioner.ts'
const service = 'processor/repartition/repartition.ts'
const term = 'processor/repartition/term.ts'
const checks = 'core/check-output.ts'
const inRepartition = (test: string, check: string) => byTest('processor/repartition/repartition', test, check)
const inChecks = (test: string, check: string) => byTest('core/check-output', test, check)

const noReason = 'no service stops for good without a reason'
const difference = 'settle verify finds no difference'
const falseAlarm = 'conservation raises no false alarm'
/** It should have been refused. */
const wentOn = 'instead of rejecting'
const rule = 'repartition'

/** From the log to `user.outputs`: what is written once, whole, in order, and what a barrier says of it. */
export const repartitionMutants: readonly RuleMutant[] = [
  {
    name: 'an output is split over transactions',
    rule,
    file: term,
    find: 'await writer.commitBatch(groupOffset ? { records, groupOffset } : { records })',
    replace:
      'const half = Math.ceil(records.length / 2)\n' +
      '    await writer.commitBatch({ records: records.slice(0, half) })\n' +
      '    if (records.length > half) await writer.commitBatch(groupOffset ? { records: records.slice(half), groupOffset } : { records: records.slice(half) })',
    caughtBy: bySeed(1, 'no service stops for good without a reason'),
  },
  {
    name: 'a commit whose end is unknown is made again without reading the tails',
    rule,
    file: term,
    find: 'await writer.commitBatch(groupOffset ? { records, groupOffset } : { records })',
    replace:
      'const batch_ = groupOffset ? { records, groupOffset } : { records }\n' +
      '    await writer.commitBatch(batch_).catch(async () => {\n' +
      '      const other = await ports.kafka.openTxWriter({ transactionalId: names.transactionalIds.repartition })\n' +
      '      await other.commitBatch(batch_)\n' +
      '    })',
    caughtBy: bySeed(463, 'no service stops for good without a reason'),
  },
  {
    name: 'whoever leads fences nobody',
    rule,
    file: service,
    find: 'transactionalId: settings.names.transactionalIds.repartition,',
    replace: 'transactionalId: `${settings.names.transactionalIds.repartition}.${clock.monotonicMs()}`,',
    caughtBy: bySeed(209, 'no service stops for good without a reason'),
  },
  {
    name: 'repartition goes on from the src of one partition',
    rule,
    file: recovery,
    find: '(best, tail) => (tail && (!best || tail.src > best.src) ? tail : best),',
    replace: '(best, tail) => best ?? tail,',
    caughtBy: bySeed(1, falseAlarm),
  },
  {
    name: 'what stands at the highest src is written again',
    rule,
    file: term,
    find: 'this.#offset = src + 1n',
    replace: 'this.#offset = src < 0n ? 0n : src',
    caughtBy: bySeed(1, difference),
  },
  {
    name: 'n begins again with each term',
    rule,
    file: recovery,
    find: 'ns: tails.map(tail => tail?.n ?? 0n),',
    replace: 'ns: tails.map(() => 0n),',
    caughtBy: bySeed(1, noReason),
  },
  {
    name: 'any log will do under the records that were made of another',
    rule,
    file: recovery,
    find: 'if (at === pos) return',
    replace: 'if (at !== undefined) return',
    caughtBy: inRepartition(
      'a start on a log that is not the one user.outputs was made from, of other positions, refuses',
      wentOn,
    ),
  },
  {
    name: 'reference data before the last barrier is forgotten',
    rule,
    file: recovery,
    find: 'reference: before.reference,',
    replace: 'reference: null,',
    caughtBy: bySeed(1, noReason),
  },
  {
    name: 'users of one output stand in the order in which it names them',
    rule,
    file: 'core/split.ts',
    find: 'return [...shares.values()].sort((a, b) => (a.user < b.user ? -1 : 1))',
    replace: 'return [...shares.values()]',
    caughtBy: bySeed(3, difference),
  },
  {
    name: 'a user goes to another partition than its own',
    rule,
    file: repartitioner,
    find: 'return partitionOf(user, this.#ns.length)',
    replace: 'return (partitionOf(user, this.#ns.length) + 1) % this.#ns.length',
    caughtBy: bySeed(1, difference),
  },
  {
    name: 'changes need not add up to zero',
    rule,
    file: checks,
    find: '  checkZero(output.changes) ??\n',
    replace: '',
    caughtBy: inChecks('changes without an external reason sum to zero', 'NotZero'),
  },
  {
    name: 'a deposit excuses what stands beside it',
    rule,
    file: checks,
    find: 'flowOfChanges(changes.filter(change => !isExternal(change.reason)))',
    replace: 'changes.some(({ reason }) => isExternal(reason)) ? [] : flowOfChanges(changes)',
    caughtBy: inChecks('changes without an external reason sum to zero', 'expected'),
  },
  {
    name: 'a trade may lack a side',
    rule,
    file: checks,
    find: '  checkSides(output) ??\n',
    replace: '',
    caughtBy: inChecks('a side that is not the trade is refused', 'expected'),
  },
  {
    name: 'an order may be filled without a trade',
    rule,
    file: checks,
    find: "first.state === 'Filled' ? 1n : grown",
    replace: 'grown',
    caughtBy: inChecks('a trade moved to another order is refused', 'FilledUnequal'),
  },
  {
    name: 'an asset may be unknown',
    rule,
    file: 'processor/repartition/check-known.ts',
    find: 'changes.find(({ asset }) => !assets.has(asset))',
    replace: 'changes.find(({ asset }) => assets.has(asset) && asset < 0)',
    caughtBy: byTest(
      'processor/repartition/repartitioner',
      'a repartitioner refuses what does not add up, names an asset nobody knows',
      'unknown-asset',
    ),
  },
  {
    name: 'a symbol may be unknown',
    rule,
    file: 'processor/repartition/check-known.ts',
    find: 'if (unknownSymbol) {',
    replace: 'if (unknownSymbol && unknownSymbol.symbol < 0) {',
    caughtBy: byTest(
      'processor/repartition/repartitioner',
      'a repartitioner refuses an order of a symbol nobody knows',
      'unknown-symbol',
    ),
  },
  {
    name: 'an output that fails its checks is left out',
    rule,
    file: term,
    find: 'const refused = await this.#refused(offset, record)\n',
    replace: 'const refused = await this.#refused(offset, record)\n      if (refused) continue\n',
    caughtBy: inRepartition('an output that fails its checks stops everything behind it', wentOn),
  },
  {
    name: 'any Admit admits any output',
    rule,
    file: term,
    find: 'if (!this.#admitted.delete(record.pos)) return',
    replace: 'if (this.#admitted.size === 0) return',
    caughtBy: inRepartition('an output that fails its checks is taken once an operator has admitted it', wentOn),
  },
  {
    name: 'the flow since the last barrier is not worked out again',
    rule,
    file: recovery,
    find: '    repartitioner.note(src, record)\n',
    replace: "    if (record.kind === 'Reference') repartitioner.note(src, record)\n",
    caughtBy: bySeed(1, falseAlarm),
  },
  {
    name: 'a barrier says nothing of what came from outside',
    rule,
    file: repartitioner,
    find: 'ns, flow: this.#flow }',
    replace: 'ns, flow: [] }',
    caughtBy: bySeed(1, falseAlarm),
  },
  {
    name: 'a barrier says again what the one before has said',
    rule,
    file: repartitioner,
    find: '    this.#flow = []\n',
    replace: '',
    caughtBy: bySeed(1, falseAlarm),
  },
  {
    name: 'a Correction brings nothing from outside',
    rule,
    file: repartitioner,
    find: "if (record.kind === 'Correction') this.#flow = mergeFlows(this.#flow, correctionFlow(record.correction))",
    replace: "if (record.kind === 'Correction') correctionFlow(record.correction)",
    caughtBy: bySeed(3, falseAlarm),
  },
  {
    name: 'a barrier may stand where the last one stands',
    rule,
    file: repartitioner,
    find: 'return this.#last.pos > this.#barrier.pos',
    replace: 'return this.#last.pos >= this.#barrier.pos && this.#last.pos > 0n',
    caughtBy: bySeed(1, noReason),
  },
  {
    name: 'no barrier comes with time',
    rule,
    file: term,
    find: 'if (due && this.#repartitioner.barrierPossible)',
    replace: 'if (due && this.#repartitioner.outputsSinceBarrier > 1_000_000)',
    caughtBy: bySeed(1, 'everything is drained'),
  },
  {
    name: 'no barrier comes with many outputs',
    rule,
    file: term,
    find: 'if (this.#repartitioner.outputsSinceBarrier >= this.#options.settings.barrierOutputs)',
    replace: 'if (this.#repartitioner.outputsSinceBarrier > 1_000_000)',
    caughtBy: inRepartition('everything in the log becomes user outputs', 'Property failed'),
  },
  {
    name: 'a topic may have fewer partitions than users are spread over',
    rule,
    file: 'runtime/kafka/check-partitions.ts',
    find: 'if (count < partitions)',
    replace: 'if (count < 0)',
    caughtBy: byTest(
      'runtime/reader/reader',
      'a reader stops when there is no topic, or one with fewer partitions than it was told',
      wentOn,
    ),
  },
]
