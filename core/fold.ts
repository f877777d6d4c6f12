import type { BalanceChange, CorrectionBody, Indexed } from './events.ts'
import type { Amount, AssetId, Pos, UserId, Version } from './ids.ts'
import { isAmount } from './money.ts'

/** A user's balance in one asset with what produced it: the version it is at and the pos of the record that brought it. */
export type Cell = {
  readonly available: Amount
  readonly frozen: Amount
  readonly version: Version
  readonly pos: Pos
}

/** Before the first change: nothing, at version 0. */
export const emptyCell: Cell = { available: 0n as Amount, frozen: 0n as Amount, version: 0n as Version, pos: 0n as Pos }

/** Why a change does not follow its cell. `cell` is what the change met; `message` says all of it in words. */
export type FoldRefusal = {
  readonly kind: /** A version between the cell's and this one is missing. */
    | 'VersionAhead'
    /** The result does not fit an int64. */
    | 'Overflow'
    /** The result is below zero. */
    | 'Negative'
    /** The result is not what the engine says it is. */
    | 'Unequal'
    /** The change is another user's: a bug of whoever split the output. */
    | 'OtherUser'
  readonly change: BalanceChange
  readonly index: number
  readonly cell: Cell
  readonly message: string
}

export type FoldResult =
  | {
      readonly kind: 'applied'
      /** Only the cells that changed. */
      readonly cells: Map<AssetId, Cell>
      /** Changes that were next. */
      readonly applied: number
      /** Changes at or below their cell's version. */
      readonly already: number
    }
  | { readonly kind: 'refused'; readonly refusal: FoldRefusal }

/** What of a record the fold needs; a `UserOutput` is one. */
export type Foldable = {
  readonly user: UserId
  readonly pos: Pos
  readonly changes: readonly Indexed<BalanceChange>[]
}

/**
 * Folds one user's changes of one record into that user's cells. Each change is applied already (version at or below
 * the cell's), next (the cell's + 1), or refused; one refused change refuses all of them. Changes of one asset follow
 * each other within the record. The cells handed out by `cellOf` stay as they are.
 */
export const foldChanges = (cellOf: (asset: AssetId) => Cell, record: Foldable): FoldResult => {
  const cells = new Map<AssetId, Cell>()
  let already = 0
  for (const { index, value: change } of record.changes) {
    const cell = cells.get(change.asset) ?? cellOf(change.asset)
    if (change.user !== record.user)
      return refused('OtherUser', { change, index, cell }, `it stands in a record of user ${record.user}`)
    if (change.version <= cell.version) {
      already++
      continue
    }
    if (change.version !== cell.version + 1n)
      return refused(
        'VersionAhead',
        { change, index, cell },
        `the cell is at version ${cell.version}, so ${cell.version + 1n} is missing`,
      )
    const available = cell.available + change.deltaAvailable
    const frozen = cell.frozen + change.deltaFrozen
    if (!isAmount(available) || !isAmount(frozen))
      return refused('Overflow', { change, index, cell }, `${sumOf(cell, change)} do not fit an int64`)
    if (available < 0n || frozen < 0n)
      return refused('Negative', { change, index, cell }, `${sumOf(cell, change)} go below zero`)
    if (available !== change.available || frozen !== change.frozen)
      return refused(
        'Unequal',
        { change, index, cell },
        `${sumOf(cell, change)} are not the engine's ${change.available} and ${change.frozen}`,
      )
    cells.set(change.asset, { available, frozen, version: change.version, pos: record.pos })
  }
  return { kind: 'applied', cells, applied: record.changes.length - already, already }
}

const refused = (
  kind: FoldRefusal['kind'],
  met: Pick<FoldRefusal, 'change' | 'index' | 'cell'>,
  why: string,
): FoldResult => ({ kind: 'refused', refusal: { kind, ...met, message: `${named(met.change)}: ${why}` } })

const sumOf = (cell: Cell, { deltaAvailable, deltaFrozen }: BalanceChange): string =>
  `${cell.available} ${signed(deltaAvailable)} available and ${cell.frozen} ${signed(deltaFrozen)} frozen`
const named = (change: BalanceChange): string =>
  `change of user ${change.user}, asset ${change.asset}, version ${change.version} (${change.reason} ${change.ref})`
const signed = (delta: bigint): string => (delta < 0n ? `- ${-delta}` : `+ ${delta}`)

/** A `Correction` as the change that stands in the place of the missing version; fold it like any other. */
export const correctionChange = (correction: CorrectionBody): BalanceChange => ({
  ...correction,
  reason: 'Correction',
  ref: 0n,
})
