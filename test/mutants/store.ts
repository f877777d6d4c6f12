import { bySeed, byTest, type RuleMutant } from './caught-by.ts'

const cache = 'processor/settle/cell-cache.ts'
const owner = 'processor/settle/partition-owner.ts'
const rows = 'processor/settle/rows.ts'
const consistency = 'runtime/cql/consistency.ts'
const statements = 'runtime/cql/statement-rules.ts'
const openOrders = 'processor/settle/open-orders.ts'
const buckets = 'processor/settle/history-buckets.ts'
const inBuckets = (check: string): RuleMutant['caughtBy'] =>
  byTest('test/cross/history-buckets', 'settle and verify put every record into the same bucket', check)
const inStatements = (test: string) => byTest('runtime/cql/statement-rules', test, 'to throw')

const ownPos = 'a cell carries its own pos'

/** What settle writes to the store and reads from it. */
export const storeMutants: readonly RuleMutant[] = [
  {
    name: 'a cell does not say which pos it is at',
    rule: 'settle 1',
    file: rows,
    find: 'new CqlTuple(cell.available, cell.frozen, cell.version, cell.pos), cell.pos]',
    replace: 'new CqlTuple(cell.available, cell.frozen, cell.version, 0n), cell.pos]',
    caughtBy: bySeed(1, ownPos),
  },
  {
    name: 'a cell is written at another timestamp than its pos',
    rule: 'settle 2',
    file: rows,
    find: 'new CqlTuple(cell.available, cell.frozen, cell.version, cell.pos), cell.pos]',
    replace: 'new CqlTuple(cell.available, cell.frozen, cell.version, cell.pos), cell.pos + 1n]',
    caughtBy: bySeed(1, ownPos),
  },
  {
    name: 'the timestamp says which owner wrote',
    rule: 'settle 2',
    file: owner,
    find: "await this.#write('cells', cells)",
    replace:
      'const lives = ((this.#options.watch as unknown as { lives?: Set<PartitionOwner> }).lives ??= new Set<PartitionOwner>())\n' +
      '    const generation = BigInt(lives.add(this).size)\n' +
      '    const stamped = (params: CqlStatement["params"]) => [...params.slice(0, -1), (params.at(-1) as bigint) + generation - 1n]\n' +
      "    await this.#write('cells', cells.map(group => group.map(({ cql, params }) => ({ cql, params: stamped(params) }))))",
    caughtBy: bySeed(1, ownPos),
  },
  {
    name: 'history of a user is one partition and many writes',
    rule: 'settle 2',
    file: 'processor/settle/history-rows.ts',
    find: 'let placed = this.#history.get(user)',
    replace: 'let placed = this.#history.values().next().value\nplaced &&= { ...placed, from: bucket.from }',
    caughtBy: bySeed(1, 'no service stops for good without a reason'),
  },
  {
    name: 'nodes are not asked after a wallet was loaded',
    rule: 'settle 3',
    file: 'processor/settle/hold-wallets.ts',
    find: 'await proveReads()',
    replace: '',
    caughtBy: bySeed(2182, 'settle verify finds no difference'),
  },
  {
    name: 'what failed in the store counts as written',
    rule: 'settle 2',
    file: 'runtime/cql/send-again.ts',
    find: 'this.#checkAgain(error, what,',
    replace: "if (what.startsWith('INSERT')) return undefined as T\nelse this.#checkAgain(error, what,",
    caughtBy: bySeed(2, 'a balance has its history'),
  },
  {
    name: 'any number of writes is under way at once',
    rule: 'settle 2',
    file: 'runtime/in-flight.ts',
    find: 'if (this.#running >= this.#limit)',
    replace: 'if (this.#running < 0)',
    caughtBy: byTest('runtime/in-flight', 'whoever enters waits for a place', 'Property failed'),
  },
  {
    name: 'every partition has a batch under way',
    rule: 'settle 5',
    file: 'processor/settle/partition-owner.ts',
    find: 'if (place) await place',
    replace: 'if (place) void place',
    caughtBy: byTest('processor/settle/settle', 'batches of no more partitions than asked for', 'Property failed'),
  },
  {
    name: 'what is read is what one replica says',
    rule: 'settle 3',
    file: consistency,
    find: 'read: localQuorum',
    replace: 'read: types.consistencies.localOne',
    caughtBy: bySeed(2, 'settle verify finds no difference'),
  },
  {
    name: 'a write is done when one replica has it',
    rule: 'settle 3',
    file: consistency,
    find: 'write: localQuorum',
    replace: 'write: types.consistencies.localOne',
    caughtBy: bySeed(2, 'what is committed survives a loss of power'),
  },
  {
    name: 'a cell that was loaded is not asserted again',
    rule: 'settle 3',
    file: cache,
    find: 'unwritten: new Unwritten(cells.keys()),',
    replace: 'unwritten: new Unwritten(),',
    caughtBy: bySeed(43, 'what is committed survives a loss of power'),
  },
  {
    name: 'a cell is asserted only when it is loaded first',
    rule: 'settle 3',
    file: cache,
    find: '    const wallet: Wallet = {\n      user,\n      cells: new WalletCells(this.#table, cells),\n      unwritten: new Unwritten(cells.keys()),\n',
    replace:
      '    const seen = ((this as unknown as { seen?: Set<UserId> }).seen ??= new Set<UserId>())\n' +
      '    const isFirst = !seen.has(user)\n' +
      '    seen.add(user)\n' +
      '    const wallet: Wallet = {\n      user,\n      cells: new WalletCells(this.#table, cells),\n      unwritten: new Unwritten(isFirst ? cells.keys() : []),\n',
    caughtBy: byTest(
      'processor/settle/cell-cache',
      'a cell that was evicted and is loaded again is to be written again too',
      'to deeply equal',
    ),
  },
  {
    name: 'the cache outlives the assignment',
    rule: 'settle 3',
    file: owner,
    find: 'this.#cache = new CellCache({ maxCells: options.cacheCells })',
    replace:
      'const kept = ((options.metrics as unknown as { kept?: Map<number, CellCache> }).kept ??= new Map<number, CellCache>())\n' +
      '    this.#cache = kept.get(options.partition) ?? new CellCache({ maxCells: options.cacheCells })\n' +
      '    kept.set(options.partition, this.#cache)',
    caughtBy: bySeed(35, 'what is committed survives a loss of power'),
  },
  {
    name: 'cells are evicted in flight',
    rule: 'settle 3',
    file: cache,
    find: 'if (wallet.holds > 0 || !wallet.unwritten.isEmpty ||',
    replace: 'if (',
    caughtBy: bySeed(35, "open orders are the engine's"),
  },
  {
    name: 'a cell of open orders takes again what it has seen',
    rule: 'settle 9',
    file: openOrders,
    find: 'if (slot && record.pos <= slot.pos)',
    replace: 'if (slot && record.pos < 0n)',
    caughtBy: bySeed(69, 'one key, one pos, two values'),
  },
  {
    name: 'a cell of open orders that was loaded is not asserted again',
    rule: 'settle 9',
    file: openOrders,
    find: "if (slot.state === 'loaded') this.#set({ ...slot, state: 'unwritten' })",
    replace: "if (slot.state === 'loaded') this.#set({ ...slot, state: 'written' })",
    caughtBy: byTest(
      'processor/settle/open-orders',
      'a record that a cell has seen changes nothing',
      'to deeply equal',
    ),
  },
  {
    name: 'an empty cell of open orders is forgotten while records that it has seen are to come',
    rule: 'settle 9',
    file: openOrders,
    find: 'isUnwritten(slot) || slot.pos > this.#seen)',
    replace: 'isUnwritten(slot))',
    caughtBy: byTest(
      'processor/settle/open-orders',
      'an empty cell that is newer than the next record is kept',
      'to be 1',
    ),
  },
  {
    name: 'an order that is done stays open',
    rule: 'settle 9',
    file: openOrders,
    find: '.filter(each => isOpen(each.state)).map(',
    replace: '.filter(each => isOpen(each.state) || each.filled > 0n).map(',
    caughtBy: bySeed(1, "open orders are the engine's"),
  },
  {
    name: 'what a bucket has counted is counted again',
    rule: 'settle 9',
    file: buckets,
    find: 'if (bucket && pos <= bucket.pos) return bucket\n',
    replace: '',
    caughtBy: inBuckets('Property failed'),
  },
  {
    name: 'a bucket is never full',
    rule: 'settle 9',
    file: buckets,
    find: 'if (bucket.items >= rules.items)',
    replace: 'if (bucket.items < 0n)',
    caughtBy: inBuckets('Property failed'),
  },
  {
    name: 'a bucket that was loaded is not asserted again',
    rule: 'settle 9',
    file: 'processor/settle/batch-fold.ts',
    find: 'if (wallet.bucket && !wallet.bucketReasserted)',
    replace: 'if (wallet.bucket && wallet.bucketReasserted === undefined)',
    caughtBy: byTest(
      'processor/settle/settle',
      'whatever the engine did starting again after any barriers changes nothing, and writes again each cell',
      'Property failed',
    ),
  },
  {
    name: 'rows move to other places',
    rule: 'settle 9',
    file: 'schemas/cql/placement.ts',
    find: '0x85ebca6b',
    replace: '0x85ebca6d',
    caughtBy: byTest('schemas/cql/placement', 'places never change', 'mismatched'),
  },
  {
    name: 'a lightweight transaction goes out',
    rule: 'settle 10',
    file: statements,
    find: "if (/\\bIF\\b/i.test(text)) return 'it is a lightweight transaction'\n",
    replace: '',
    caughtBy: inStatements('a write is refused for a lightweight transaction'),
  },
  {
    name: 'a counter counts',
    rule: 'settle 10',
    file: statements,
    find: "return 'it adds to a counter or a collection'",
    replace: 'return null',
    caughtBy: inStatements('a write is refused for adds to a counter'),
  },
  {
    name: 'a write goes out without a timestamp',
    rule: 'settle 10',
    file: statements,
    find: "return 'it has no USING TIMESTAMP ? of its own'",
    replace: 'return null',
    caughtBy: inStatements('a write is refused for no USING TIMESTAMP'),
  },
  {
    name: 'a collection may be of many cells',
    rule: 'settle 10',
    file: statements,
    find: 'return `${column} is not frozen`',
    replace: 'return null',
    caughtBy: inStatements('a change of the schema is refused: not frozen'),
  },
]
