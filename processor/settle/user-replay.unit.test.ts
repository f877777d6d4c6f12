import { expect, test } from 'vitest'
import type { UserOutput, UserRecord } from '../../core/events.ts'
import type { Cell } from '../../core/fold.ts'
import { amount, type AssetId, assetId, pos, userId, version } from '../../core/ids.ts'
import { type CorrectionAt, UserReplay } from './user-replay.ts'

const user = userId(7n)
const [a, b] = [assetId(1), assetId(2)]
const cell = (available: number, at: number, when: number): Cell => ({
  available: amount(BigInt(available)),
  frozen: amount(0n),
  version: version(BigInt(at)),
  pos: pos(BigInt(when)),
})
type Change = readonly [asset: AssetId, version: number, delta: number, available: number]
const output = (when: number, ...changes: readonly Change[]): UserOutput => ({
  kind: 'UserOutput',
  n: BigInt(when),
  src: 0n,
  pos: pos(BigInt(when)),
  time: 0n,
  user,
  orders: [],
  trades: [],
  changes: changes.map(([asset, at, delta, available], index) => ({
    index,
    value: {
      user,
      asset,
      deltaAvailable: amount(BigInt(delta)),
      deltaFrozen: amount(0n),
      available: amount(BigInt(available)),
      frozen: amount(0n),
      version: version(BigInt(at)),
      reason: 'Deposit',
      ref: 0n,
    },
  })),
})
const correction = (
  when: number,
  asset: AssetId,
  at: number,
  delta: number,
  available: number,
): Extract<UserRecord, { kind: 'UserCorrection' }> => ({
  kind: 'UserCorrection',
  n: BigInt(when),
  src: 0n,
  pos: pos(BigInt(when)),
  command: { id: '', who: '', why: '', time: 0n },
  correction: {
    user,
    asset,
    version: version(BigInt(at)),
    available: amount(BigInt(available)),
    frozen: amount(0n),
    deltaAvailable: amount(BigInt(delta)),
    deltaFrozen: amount(0n),
  },
})
const at = (record: ReturnType<typeof correction>): CorrectionAt => record

test('a Correction stands in the place of its version, and what it brings about carries its pos', () => {
  const cause = correction(50, a, 2, 5, 15)
  const replay = new UserReplay({
    cause,
    cells: new Map([
      [a, cell(10, 1, 10)],
      [b, cell(1, 1, 5)],
    ]),
    corrections: [at(cause)],
  })
  replay.take(output(30, [a, 3, 1, 16], [b, 2, 1, 2]))
  replay.take(output(40, [a, 4, 1, 17]))
  expect(replay.end()).toEqual({
    kind: 'healed',
    cells: new Map([
      [a, cell(17, 4, 50)],
      [b, cell(2, 2, 50)],
    ]),
  })
})

test('a re-read for an output keeps each pos, but none falls below the Correction that it stands on', () => {
  const cause = output(60, [b, 2, 1, 2])
  const corrections = [at(correction(50, a, 2, 5, 15))]
  const replay = new UserReplay({
    cause,
    cells: new Map([
      [a, cell(10, 1, 10)],
      [b, cell(1, 1, 5)],
    ]),
    corrections,
  })
  replay.take(output(30, [a, 3, 1, 16]))
  expect(replay.end()).toEqual({
    kind: 'healed',
    cells: new Map([
      [a, cell(16, 3, 50)],
      [b, cell(2, 2, 60)],
    ]),
  })
})

test('several Corrections close a hole of several versions, or one of them all of it', () => {
  const single = [at(correction(50, a, 4, 9, 19))]
  const each = [at(correction(50, a, 2, 4, 14)), at(correction(51, a, 3, 3, 17)), at(correction(52, a, 4, 2, 19))]
  for (const corrections of [single, each]) {
    const replay = new UserReplay({
      cause: output(60, [a, 5, 1, 20]),
      cells: new Map([[a, cell(10, 1, 10)]]),
      corrections,
    })
    expect(replay.end()).toMatchObject({ kind: 'healed', cells: new Map([[a, cell(20, 5, 60)]]) })
  }
})

test('a Correction whose deltas do not lead from the cell to its values is refused', () => {
  const cause = correction(50, a, 2, 5, 99)
  const replay = new UserReplay({ cause, cells: new Map([[a, cell(10, 1, 10)]]), corrections: [at(cause)] })
  expect(replay.end()).toMatchObject({ kind: 'refused', at: 50n, refusal: { kind: 'Unequal' } })
})

test('after an output that does not follow nothing more is taken, and what came before stands', () => {
  const replay = new UserReplay({
    cause: output(60, [b, 1, 1, 1]),
    cells: new Map([[a, cell(10, 1, 10)]]),
    corrections: [],
  })
  replay.take(output(20, [a, 2, 1, 11]))
  replay.take(output(30, [a, 4, 1, 13]))
  expect(replay.end()).toMatchObject({
    kind: 'refused',
    at: 30n,
    refusal: { kind: 'VersionAhead' },
    cells: new Map([[a, cell(11, 2, 20)]]),
  })
})

test('a Correction of a version that the log has is not used', () => {
  const corrections = [at(correction(50, a, 2, 90, 100))]
  const replay = new UserReplay({
    cause: output(60, [a, 3, 1, 12]),
    cells: new Map([[a, cell(10, 1, 10)]]),
    corrections,
  })
  replay.take(output(20, [a, 2, 1, 11]))
  expect(replay.end()).toMatchObject({ kind: 'healed', cells: new Map([[a, cell(12, 3, 60)]]) })
})

test('a Correction that waited for another is applied with it, though no output needs it', () => {
  const [first, cause] = [correction(50, b, 1, 4, 4), correction(51, a, 2, 5, 15)]
  const replay = new UserReplay({ cause, cells: new Map([[a, cell(10, 1, 10)]]), corrections: [first, cause] })
  replay.take(output(30, [a, 3, 1, 16]))
  replay.take(first)
  expect(replay.end()).toEqual({
    kind: 'healed',
    cells: new Map([
      [a, cell(16, 3, 51)],
      [b, cell(4, 1, 51)],
    ]),
  })
})
