import type { Pos } from '../../core/ids.ts'

/** A change of one balance, from an output or a Correction of the log. */
export type Posting = {
  readonly kind: 'Change' | 'Correction'
  readonly pos: Pos
  readonly version: bigint
  readonly available: bigint
  readonly frozen: bigint
  readonly deltaAvailable: bigint
  readonly deltaFrozen: bigint
}

export type Balance = { readonly available: bigint; readonly frozen: bigint; readonly version: bigint }

/** How far a balance comes by the log, and what then waits. */
export type Standing = {
  /** The last balance that follows from all before it. */
  readonly base: Balance
  /** The lowest version that the log has above a missing one. */
  readonly waits: Posting | null
  /** The next version is there and does not follow from the base: no version is missing. */
  readonly contradicts: Posting | null
  /** Corrections of the log above the base that do not lead on from it. */
  readonly unfit: readonly Posting[]
}

/**
 * Follows a balance through the postings that come after it, Corrections in the place of what is missing, as settle
 * does when it re-reads a user.
 */
export const standingOf = (cell: Balance, postings: readonly Posting[]): Standing => {
  const changes = new Map<bigint, Posting>()
  for (const posting of postings)
    if (posting.kind === 'Change' && !changes.has(posting.version)) changes.set(posting.version, posting)
  const corrections = postings.filter(posting => posting.kind === 'Correction')
  let base: Balance = cell
  for (;;) {
    const next = changes.get(base.version + 1n)
    if (next && !leadsOn(base, next)) return { base, waits: null, contradicts: next, unfit: [] }
    const waits = lowestAbove(changes, base.version)
    const step =
      next ??
      corrections.find(
        each => each.version > base.version && (!waits || each.version < waits.version) && leadsOn(base, each),
      )
    if (!step) {
      const unfit = corrections.filter(each => each.version > base.version)
      return { base, waits, contradicts: null, unfit }
    }
    base = { available: step.available, frozen: step.frozen, version: step.version }
  }
}

const lowestAbove = (changes: ReadonlyMap<bigint, Posting>, version: bigint): Posting | null => {
  let lowest: Posting | null = null
  for (const change of changes.values())
    if (change.version > version && (!lowest || change.version < lowest.version)) lowest = change
  return lowest
}

const leadsOn = (base: Balance, { available, frozen, deltaAvailable, deltaFrozen }: Posting): boolean =>
  base.available + deltaAvailable === available &&
  base.frozen + deltaFrozen === frozen &&
  available >= 0n &&
  frozen >= 0n

/** The balance that a change follows from, by its own deltas. */
export const balanceBefore = ({ version, available, frozen, deltaAvailable, deltaFrozen }: Posting): Balance => ({
  version: version - 1n,
  available: available - deltaAvailable,
  frozen: frozen - deltaFrozen,
})

export const isSameBalance = (left: Balance, right: Balance): boolean =>
  left.available === right.available && left.frozen === right.frozen && left.version === right.version
