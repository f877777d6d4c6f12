import type { CorrectionBody, LogRecord } from '../../../core/events.ts'
import type { AssetId, UserId, Version } from '../../../core/ids.ts'
import { decodeLogRecord } from '../../../schemas/codec.ts'
import type { World } from '../world.ts'

/** Versions that no output of the log brought, with one after them that did: `from` to `to`, both included. */
export type Hole = { readonly asset: AssetId; readonly from: bigint; readonly to: bigint }

/** The committed log, each record decoded once, and what it says of a user. */
export class LogView {
  readonly records: LogRecord[] = []
  readonly #world: World
  #next = 0n

  constructor(world: World) {
    this.#world = world
  }

  /** Takes in what was committed since. */
  update(): readonly LogRecord[] {
    const { broker, names } = this.#world
    const { records, next } = broker.log(names.topics.log, 0).read({ offset: this.#next, maxCount: 1e9, maxBytes: 1e9 })
    this.records.push(...records.map(({ value }) => decodeLogRecord(value)))
    this.#next = next
    return this.records
  }

  /** Holes in a user's versions up to a pos, as far as no Correction up to there closes them. */
  holes(user: UserId, upTo?: bigint): readonly Hole[] {
    const seen = new Map<AssetId, Set<bigint>>()
    const corrected: CorrectionBody[] = []
    for (const record of this.update()) {
      if (upTo !== undefined && record.pos > upTo) break
      if (record.kind === 'Correction' && record.correction.user === user) corrected.push(record.correction)
      if (record.kind !== 'Output') continue
      for (const change of record.output.changes) {
        if (change.user !== user) continue
        const versions = seen.get(change.asset) ?? new Set()
        versions.add(change.version)
        seen.set(change.asset, versions)
      }
    }
    return [...seen].flatMap(([asset, versions]) => {
      const closed = corrected.filter(each => each.asset === asset).map(({ version }) => version as bigint)
      return runsMissing(versions).flatMap(({ from, to }) => {
        // A Correction stands for all that was missing up to its version.
        const open = closed.reduce((next, version) => (version >= next && version <= to ? version + 1n : next), from)
        return open > to ? [] : [{ asset, from: open, to }]
      })
    })
  }

  /** The newest version of a user's asset that an output brought. */
  newest(user: bigint, asset: number): bigint {
    let newest = 0n
    for (const { output } of this.update().filter(record => record.kind === 'Output'))
      for (const change of output.changes)
        if (change.user === user && change.asset === asset && change.version > newest) newest = change.version
    return newest
  }

  /** What closes a hole, as the engine's books have it. */
  correctionOf(user: UserId, { asset, from, to }: Hole): CorrectionBody {
    const { truth } = this.#world.engine
    const before = truth.at(user, asset, from - 1n)
    const after = truth.at(user, asset, to)
    if (!before || !after) throw new Error(`the engine never made versions ${from} to ${to} of ${user}/${asset}`)
    const { available, frozen } = after
    const deltas = { deltaAvailable: available - before.available, deltaFrozen: frozen - before.frozen }
    return { user, asset, version: to as Version, available, frozen, ...deltas } as CorrectionBody
  }
}

const runsMissing = (versions: ReadonlySet<bigint>): { readonly from: bigint; readonly to: bigint }[] => {
  const runs: { from: bigint; to: bigint }[] = []
  let last = 0n
  for (const version of [...versions].sort((a, b) => (a < b ? -1 : 1))) {
    if (version > last + 1n) runs.push({ from: last + 1n, to: version - 1n })
    last = version
  }
  return runs
}
