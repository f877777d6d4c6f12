import type { CorrectionBody, UserOutput, UserRecord } from '../../core/events.ts'
import { type Cell, correctionChange, emptyCell, foldChanges, type FoldRefusal } from '../../core/fold.ts'
import type { AssetId, Pos } from '../../core/ids.ts'

/** Records that can make a user's balances be worked out anew from the log. */
export type ReplayCause = Extract<UserRecord, { kind: 'UserOutput' | 'UserCorrection' | 'UserRedrive' }>

type UserCorrection = Extract<UserRecord, { kind: 'UserCorrection' }>
export type CorrectionAt = { readonly pos: Pos; readonly correction: CorrectionBody }

export type ReplayOutcome =
  /** All of it follows; `cells` are those that changed. */
  | { readonly kind: 'healed'; readonly cells: ReadonlyMap<AssetId, Cell> }
  /** `at`: the record that does not follow. What came before it stands in `cells`. */
  | {
      readonly kind: 'refused'
      readonly at: Pos
      readonly refusal: FoldRefusal
      readonly cells: ReadonlyMap<AssetId, Cell>
    }

/**
 * Works one user's balances out anew: the user's records from the lowest pos among the cells up to the cause, each
 * Correction in the place of its version. What is applied already changes nothing, so it may begin too early.
 */
export class UserReplay {
  readonly #before: ReadonlyMap<AssetId, Cell>
  readonly #cells = new Map<AssetId, Cell>()
  readonly #corrections: readonly CorrectionAt[]
  readonly #cause: ReplayCause
  #refused: { readonly at: Pos; readonly refusal: FoldRefusal } | null = null

  /** `corrections`: the user's, up to the cause and with it, in the log's order. */
  constructor(options: {
    readonly cause: ReplayCause
    readonly cells: Iterable<readonly [AssetId, Cell]>
    readonly corrections: readonly CorrectionAt[]
  }) {
    this.#cause = options.cause
    this.#before = new Map(options.cells)
    this.#corrections = options.corrections
  }

  /** The user's next record before the cause. After one that does not follow, the rest is passed over. */
  take(record: UserOutput | UserCorrection): void {
    if (this.#refused) return
    if (record.kind === 'UserOutput') this.#takeOutput(record)
    // One that no output needed yet; or one that never fitted, and then or now changes nothing.
    else this.#correct(record)
  }

  #takeOutput(output: UserOutput): void {
    const bridged = this.#bridge(output)
    const result = foldChanges(asset => bridged.get(asset) ?? this.#cell(asset), output)
    if (result.kind === 'refused') {
      this.#refused = { at: output.pos, refusal: result.refusal }
      return
    }
    for (const [asset, cell] of [...bridged, ...result.cells]) this.#set(asset, cell)
  }

  /** Applies the cause itself. */
  end(): ReplayOutcome {
    const cause = this.#cause
    switch (cause.kind) {
      case 'UserOutput':
        this.take(cause)
        break
      case 'UserCorrection':
        if (!this.#refused && !this.#correct(cause)) this.#refused = { at: cause.pos, refusal: this.#unfit(cause) }
        break
      case 'UserRedrive':
        break
    }
    if (this.#refused) return { kind: 'refused', ...this.#refused, cells: this.#cells }
    return { kind: 'healed', cells: this.#stamped() }
  }

  /**
   * What an operator's record brings about is stamped with its pos: the outputs that waited are older than the
   * Correction before them, and one key never gets two values at one pos.
   */
  #stamped(): ReadonlyMap<AssetId, Cell> {
    const { kind, pos } = this.#cause
    if (kind === 'UserOutput') return this.#cells
    return new Map([...this.#cells].map(([asset, cell]) => [asset, { ...cell, pos }]))
  }

  /** Corrections that close the holes right before an output's changes; the cells after them. */
  #bridge(output: UserOutput): Map<AssetId, Cell> {
    const bridged = new Map<AssetId, Cell>()
    const seen = new Set<AssetId>()
    for (const { value: change } of output.changes) {
      // Only before an asset's first change can a version be missing: the engine emits an output whole.
      if (seen.has(change.asset)) continue
      seen.add(change.asset)
      let cell = this.#cell(change.asset)
      while (cell.version + 1n < change.version) {
        const after = this.#correctionOn(cell, change.asset, change.version)
        if (!after) break
        cell = after
        bridged.set(change.asset, cell)
      }
    }
    return bridged
  }

  /** The cell after the first Correction that fits it and is below a version; undefined when there is none. */
  #correctionOn(cell: Cell, asset: AssetId, below: bigint): Cell | undefined {
    for (const { pos, correction } of this.#corrections) {
      if (correction.asset !== asset || correction.version >= below) continue
      const after = corrected(cell, pos, correction)
      if (after) return after
    }
    return undefined
  }

  /** False when it is above its cell and does not lead on from it. */
  #correct({ pos, correction }: CorrectionAt): boolean {
    const cell = this.#cell(correction.asset)
    if (correction.version <= cell.version) return true
    const after = corrected(cell, pos, correction)
    if (after) this.#set(correction.asset, after)
    return after !== undefined
  }

  #unfit({ correction }: CorrectionAt): FoldRefusal {
    const { user, asset, version } = correction
    const cell = this.#cell(asset)
    const message =
      `Correction of user ${user}, asset ${asset} to version ${version}: its deltas do not lead from the cell ` +
      `(${cell.available} available, ${cell.frozen} frozen, version ${cell.version}) to its values`
    return { kind: 'Unequal', change: correctionChange(correction), index: 0, cell, message }
  }

  #cell(asset: AssetId): Cell {
    return this.#cells.get(asset) ?? this.#before.get(asset) ?? emptyCell
  }

  /** pos never falls: an output that waited for a later Correction gets the Correction's. */
  #set(asset: AssetId, cell: Cell): void {
    const { pos } = this.#cell(asset)
    this.#cells.set(asset, cell.pos < pos ? { ...cell, pos } : cell)
  }
}

/**
 * The cell after a Correction, which may close a hole of several versions at once: its deltas are against the cell it
 * replaces. Undefined when it is not above the cell, or its deltas do not lead from the cell to its values.
 */
export const corrected = (cell: Cell, pos: Pos, correction: CorrectionBody): Cell | undefined => {
  const { version, available, frozen, deltaAvailable, deltaFrozen } = correction
  if (version <= cell.version || available < 0n || frozen < 0n) return undefined
  if (cell.available + deltaAvailable !== available || cell.frozen + deltaFrozen !== frozen) return undefined
  return { available, frozen, version, pos: cell.pos > pos ? cell.pos : pos }
}
