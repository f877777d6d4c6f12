import type { Mutant } from './mutant.ts'

const fold = 'core/fold.ts'
const cache = 'processor/settle/cell-cache.ts'
const owner = 'processor/settle/partition-owner.ts'
const batch = 'processor/settle/batch-fold.ts'
const commits = 'processor/settle/barrier-commits.ts'
const gate = 'processor/settle/commit-gate.ts'
const watch = 'processor/settle/node-watch.ts'
const replay = 'processor/settle/user-replay.ts'
const rows = 'processor/settle/rows.ts'
const recovery = 'processor/repartition/recovery.ts'
const repartitioner = 'processor/repartition/repartitioner.ts'
const repartition = 'processor/repartition/term.ts'

/** Each seed is a test of its own. */
const bySeed = (seed: number): Mutant['caughtBy'] => ({
  project: 'unit',
  file: 'test/sim/seeds.unit.test.ts',
  test: `seed ${seed}:`,
})

/** The rules of §5 to §7: who writes what to the store, when, and when it is told to Kafka. */
export const settleMutants: readonly Mutant[] = [
  {
    name: 'a cell that was loaded is not asserted again',
    file: cache,
    find: 'unwritten: new Set(cells.keys()),',
    replace: 'unwritten: new Set(),',
    caughtBy: bySeed(25),
  },
  {
    name: 'cells do not wait for their history',
    file: owner,
    find: "await this.#write('history', batch.rows.history)",
    replace: "this.#write('history', batch.rows.history).catch((error: unknown) => this.#fail(error))",
    caughtBy: bySeed(1),
  },
  {
    name: 'a barrier counts as acknowledged before its cells',
    file: owner,
    find: "await this.#write('cells', rows.cells)",
    replace: "this.#write('cells', rows.cells).catch((error: unknown) => this.#fail(error))",
    caughtBy: bySeed(2),
  },
  {
    name: 'offsets are committed as soon as their barrier is acknowledged',
    file: gate,
    find: 'each => each.acknowledgedMs + this.#holdMs <= nowMs',
    replace: 'each => each.acknowledgedMs <= nowMs',
    caughtBy: bySeed(1),
  },
  {
    name: 'with a barrier that is old enough the newest is committed',
    file: gate,
    find: 'return ripe ? { progress: ripe.progress,',
    replace: 'return ripe ? { progress: (this.#held.at(-1) ?? ripe).progress,',
    caughtBy: bySeed(4),
  },
  {
    name: 'offsets are committed anywhere, not at barriers only',
    file: owner,
    find: 'if (!barriers.has(record)) continue',
    replace: '',
    caughtBy: bySeed(1),
  },
  {
    name: 'nobody minds that a node restarted',
    file: commits,
    find: 'if (change !== null) throw new ReopenPartition(',
    replace: 'if (change === undefined) throw new ReopenPartition(',
    caughtBy: bySeed(1),
  },
  {
    name: 'nodes are not asked anew before a commit',
    file: watch,
    find: 'if (!this.#asking || this.#asking.startedMs < sinceMs)',
    replace: 'if (!this.#asking)',
    caughtBy: bySeed(1),
  },
  {
    name: 'the cache outlives the assignment',
    file: owner,
    find: 'this.#cache = new CellCache({ maxCells: options.cacheCells })',
    replace:
      'const kept = ((options.metrics as unknown as { kept?: Map<number, CellCache> }).kept ??= new Map<number, CellCache>())\n' +
      '    this.#cache = kept.get(options.partition) ?? new CellCache({ maxCells: options.cacheCells })\n' +
      '    kept.set(options.partition, this.#cache)',
    caughtBy: bySeed(16),
  },
  {
    name: 'cells are evicted in flight',
    file: cache,
    find: 'if (wallet.holds > 0 || wallet.unwritten.size > 0 ||',
    replace: 'if (',
    caughtBy: bySeed(13),
  },
  {
    name: 'of an output that is refused the changes that fit are applied',
    file: fold,
    find: 'if (change.version !== cell.version + 1n)',
    replace: 'if (change.version !== cell.version + 1n) continue\n    if (change.version < 0n)',
    caughtBy: bySeed(3),
  },
  {
    name: 'a Correction is applied where it stands, not in the place of its version',
    file: replay,
    find: 'if (after) return after',
    replace: '',
    caughtBy: bySeed(3),
  },
  {
    name: 'a cell is written at another timestamp than its pos',
    file: rows,
    find: 'new CqlTuple(cell.available, cell.frozen, cell.version, cell.pos), cell.pos]',
    replace: 'new CqlTuple(cell.available, cell.frozen, cell.version, cell.pos), cell.pos + 1n]',
    caughtBy: bySeed(1),
  },
  {
    name: 'the sums leave parked users out',
    file: batch,
    find: 'for (const { value } of record.changes) this.#add(value)',
    replace: 'if (!this.#state.parked.has(record.user)) for (const { value } of record.changes) this.#add(value)',
    caughtBy: bySeed(9),
  },
  {
    name: 'what failed in the store counts as written',
    file: 'runtime/cql/send-again.ts',
    find: 'onRetry?.(code)',
    replace: 'if (triedMs >= 0) return undefined as T',
    caughtBy: bySeed(1),
  },
  {
    name: 'repartition goes on from the src of one partition',
    file: recovery,
    find: '(best, tail) => (tail && (!best || tail.src > best.src) ? tail : best),',
    replace: '(best, tail) => best ?? tail,',
    caughtBy: bySeed(1),
  },
  {
    name: 'the flow since the last barrier is not worked out again',
    file: recovery,
    find: '{ from: barrier.src + 1n, to: newest.src }',
    replace: '{ from: newest.src, to: newest.src }',
    caughtBy: bySeed(1),
  },
  {
    name: 'a barrier may stand where the last one stands',
    file: repartitioner,
    find: 'return this.#last.pos > this.#barrier.pos',
    replace: 'return this.#last.pos >= this.#barrier.pos && this.#last.pos > 0n',
    caughtBy: bySeed(1),
  },
  {
    name: 'an output is split over transactions',
    file: repartition,
    find: 'await writer.commitBatch(groupOffset ? { records, groupOffset } : { records })',
    replace:
      'const half = Math.ceil(records.length / 2)\n' +
      '    await writer.commitBatch({ records: records.slice(0, half) })\n' +
      '    if (records.length > half) await writer.commitBatch(groupOffset ? { records: records.slice(half), groupOffset } : { records: records.slice(half) })',
    caughtBy: bySeed(1),
  },
]
