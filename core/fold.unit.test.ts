import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BalanceChange, EngineOutput, LogRecord } from './events.ts'
import { type Cell, correctionChange, emptyCell, type Foldable, foldChanges } from './fold.ts'
import { amount, type AssetId, assetId, pos, type UserId, userId, version } from './ids.ts'
import { maxAmount } from './money.ts'
import { NaiveLedger } from './oracle/naive-ledger.ts'
import { splitOutput } from './split.ts'
import { history } from './testing/history.ts'

const at = { epoch: 1n, random: 1n, seq: 1n, chain: Buffer.alloc(32) }
const posOf = (index: number) => pos(1_000n + 10n * BigInt(index))
const asLog = (outputs: readonly EngineOutput[]): LogRecord[] =>
  outputs.map((output, i) => ({ kind: 'Output', pos: posOf(i), at, output }))

type Record = Foldable & { readonly place: number }
const recordsOf = (outputs: readonly EngineOutput[]): Map<UserId, Record[]> => {
  const users = new Map<UserId, Record[]>()
  outputs.forEach((output, place) => {
    for (const share of splitOutput(output)) {
      const records = users.get(share.user) ?? []
      records.push({ ...share, pos: posOf(place), place })
      users.set(share.user, records)
    }
  })
  return users
}

type Cells = Map<AssetId, Cell>
const cellOf = (cells: Cells) => (asset: AssetId) => cells.get(asset) ?? emptyCell
const fold = (cells: Cells, record: Foldable): { applied: number; already: number } => {
  const result = foldChanges(cellOf(cells), record)
  if (result.kind === 'refused') throw new Error(result.refusal.message)
  for (const [asset, cell] of result.cells) cells.set(asset, cell)
  return result
}
const foldAll = (records: readonly Foldable[]): Cells => {
  const cells: Cells = new Map()
  for (const record of records) fold(cells, record)
  return cells
}

describe('any engine history', () => {
  test('folds, user by user, into what the naive ledger adds up', () => {
    fc.assert(
      fc.property(history, outputs => {
        const ledger = new NaiveLedger()
        for (const record of asLog(outputs)) ledger.take(record)
        expect(ledger.problems()).toEqual([])
        const folded = [...recordsOf(outputs)].flatMap(([user, records]) =>
          [...foldAll(records)].map(([asset, { available, frozen, version }]) => ({
            user,
            asset,
            available,
            frozen,
            version,
          })),
        )
        const order = (a: { user: bigint; asset: number }, b: { user: bigint; asset: number }) =>
          Number(a.user - b.user) || a.asset - b.asset
        expect(folded.sort(order)).toEqual([...ledger.balances()].sort(order))
      }),
    )
  })

  test('gives the same cells when records are repeated, late, or started over from any earlier one', () => {
    const jumps = fc.array(fc.tuple(fc.nat(200), fc.nat(200)), { maxLength: 5 })
    fc.assert(
      fc.property(history, jumps, (outputs, jumpsBack) => {
        for (const records of recordsOf(outputs).values()) {
          const once = foldAll(records)
          const cells: Cells = new Map()
          for (const [from, back] of [...jumpsBack, [records.length, 0] as const]) {
            const reached = Math.min(from, records.length)
            for (const record of records.slice(0, reached)) fold(cells, record)
            for (const record of records.slice(Math.max(0, reached - back), reached))
              expect(fold(cells, record).applied).toBe(0)
          }
          expect(cells).toEqual(once)
        }
      }),
    )
  })

  test('refuses the next change of an asset whose change was skipped, and changes nothing', () => {
    fc.assert(
      fc.property(history, fc.nat(), (outputs, pick) => {
        for (const records of recordsOf(outputs).values()) {
          const skip = pick % records.length
          const skipped = new Set(records[skip]?.changes.map(each => each.value.asset))
          const cells = foldAll(records.slice(0, skip))
          for (const record of records.slice(skip + 1)) {
            const before = new Map(cells)
            const result = foldChanges(cellOf(cells), record)
            if (!record.changes.some(each => skipped.has(each.value.asset))) {
              expect(result.kind).toBe('applied')
              fold(cells, record)
              continue
            }
            expect(result).toMatchObject({ kind: 'refused', refusal: { kind: 'VersionAhead' } })
            expect(cells).toEqual(before)
            return
          }
        }
      }),
    )
  })

  test('any value after a change that is off by something is refused', () => {
    const field = fc.constantFrom('available', 'frozen', 'deltaAvailable', 'deltaFrozen')
    const off = fc.bigInt(-1000n, 1000n).filter(by => by !== 0n)
    fc.assert(
      fc.property(history, fc.nat(), field, off, (outputs, pick, name, by) => {
        const changes = outputs.flatMap((output, place) => output.changes.map(change => ({ change, place })))
        const { change, place } = changes[pick % changes.length] as { change: BalanceChange; place: number }
        const wrong = { ...change, [name]: change[name] + by }
        const cells: Cells = new Map()
        for (const record of recordsOf(outputs).get(change.user) ?? []) {
          if (record.place < place) fold(cells, record)
          if (record.place !== place) continue
          const broken = {
            ...record,
            changes: record.changes.map(each => (each.value === change ? { ...each, value: wrong } : each)),
          }
          const result = foldChanges(cellOf(cells), broken)
          expect(result.kind === 'refused' && ['Unequal', 'Negative'].includes(result.refusal.kind)).toBe(true)
        }
      }),
    )
  })
})

const btc = assetId(1)
const alice = userId(5n)
const change = (over: Partial<BalanceChange>): BalanceChange => ({
  user: alice,
  asset: btc,
  deltaAvailable: amount(10n),
  deltaFrozen: amount(0n),
  available: amount(10n),
  frozen: amount(0n),
  version: version(1n),
  reason: 'Deposit',
  ref: 1n,
  ...over,
})
const record = (...changes: BalanceChange[]): Foldable => ({
  user: alice,
  pos: pos(77n),
  changes: changes.map((value, index) => ({ index, value })),
})
const cell = (available: bigint, frozen: bigint, at: bigint): Cell => ({
  available: amount(available),
  frozen: amount(frozen),
  version: version(at),
  pos: pos(1n),
})

test('changes of one asset in one record follow each other, and the cell takes the pos of the record', () => {
  const second = change({
    version: version(2n),
    deltaAvailable: amount(-4n),
    deltaFrozen: amount(4n),
    available: amount(6n),
    frozen: amount(4n),
  })
  const result = foldChanges(() => emptyCell, record(change({}), second))
  expect(result).toEqual({
    kind: 'applied',
    applied: 2,
    already: 0,
    cells: new Map([[btc, { available: 6n, frozen: 4n, version: 2n, pos: 77n }]]),
  })
})

test('a balance may fall to nothing', () => {
  const all = change({ version: version(2n), deltaAvailable: amount(-10n), available: amount(0n) })
  expect(foldChanges(() => cell(10n, 0n, 1n), record(all))).toMatchObject({ kind: 'applied', applied: 1 })
})

test('what was applied before counts as already and leaves no cell', () => {
  const result = foldChanges(() => cell(10n, 0n, 1n), record(change({})))
  expect(result).toEqual({ kind: 'applied', applied: 0, already: 1, cells: new Map() })
})

test('one refused change refuses the others of its record, and says everything about itself', () => {
  const eth = change({ asset: assetId(2), version: version(3n) })
  const result = foldChanges(() => emptyCell, record(change({}), eth))
  expect(result).toEqual({
    kind: 'refused',
    refusal: {
      kind: 'VersionAhead',
      change: eth,
      index: 1,
      cell: emptyCell,
      message: 'change of user 5, asset 2, version 3 (Deposit 1): the cell is at version 0, so 1 is missing',
    },
  })
})

test.each([
  [
    'Negative',
    cell(3n, 0n, 4n),
    { deltaAvailable: -4n, available: -1n },
    '3 - 4 available and 0 + 0 frozen go below zero',
  ],
  ['Negative', cell(3n, 1n, 4n), { deltaAvailable: 1n, deltaFrozen: -2n, available: 4n, frozen: -1n }, 'go below zero'],
  [
    'Unequal',
    cell(3n, 0n, 4n),
    { deltaAvailable: 1n, available: 5n },
    "3 + 1 available and 0 + 0 frozen are not the engine's 5 and 0",
  ],
  ['Unequal', cell(3n, 0n, 4n), { deltaAvailable: 0n, available: 3n, frozen: 1n }, "are not the engine's 3 and 1"],
  ['Overflow', cell(maxAmount, 0n, 4n), { deltaAvailable: 1n, available: 1n }, 'do not fit an int64'],
])('%s: %o and %o', (kind, before, over, why) => {
  const next = change({ version: version(5n), ...(over as Partial<BalanceChange>) })
  const result = foldChanges(() => before, record(next))
  expect(result).toMatchObject({
    kind: 'refused',
    refusal: { kind, cell: before, message: expect.stringContaining(why) },
  })
})

test("another user's change in a user's record is refused even when it is old", () => {
  const result = foldChanges(() => cell(10n, 0n, 9n), record(change({ user: userId(6n) })))
  expect(result).toMatchObject({ kind: 'refused', refusal: { kind: 'OtherUser' } })
})

test('a Correction stands in the place of the missing version', () => {
  const body = {
    user: alice,
    asset: btc,
    version: version(5n),
    available: amount(8n),
    frozen: amount(2n),
    deltaAvailable: amount(5n),
    deltaFrozen: amount(2n),
  }
  const result = foldChanges(() => cell(3n, 0n, 4n), record(correctionChange(body)))
  expect(result).toMatchObject({
    kind: 'applied',
    applied: 1,
    cells: new Map([[btc, { available: 8n, frozen: 2n, version: 5n, pos: 77n }]]),
  })
  const wrong = foldChanges(() => cell(4n, 0n, 4n), record(correctionChange(body)))
  expect(wrong).toMatchObject({ kind: 'refused', refusal: { kind: 'Unequal' } })
})
