import type { Pos, UserId } from '../../../core/ids.ts'

/** What the maker of records is told. */
export type MakerQuestion =
  /** Writes reference data and deposits. */
  | { readonly kind: 'open' }
  | { readonly kind: 'trade'; readonly trades: number }
  /** Closes the archive's window: goes on in the next one, with a deposit. Only where the time is the maker's own. */
  | { readonly kind: 'close'; readonly windowMs: number }
  | { readonly kind: 'accounts'; readonly users: readonly UserId[] }

type Account = {
  readonly asset: number
  readonly available: bigint
  readonly frozen: bigint
  readonly version: bigint
}

export type MakerAnswer = {
  /** Of the last record written so far. */
  readonly lastPos: Pos
  /** One entry for each user that was asked for, in that order: its account in each asset. */
  readonly accounts: readonly (readonly Account[])[]
}
