import type { Barrier } from '../../core/events.ts'
import { Stop } from '../../runtime/stop.ts'
import { requireFolder } from '../archive/archive-files.ts'
import { awaitCommonBarrier } from './common-barrier.ts'
import { leftOutOf, Pass, type PassPlaces } from './pass.ts'
import type { RowShape } from './row-shape.ts'
import { RowDetails, RowDigests } from './row-sets.ts'
import { type PlaceName, type TableResult, Tally } from './tally.ts'

export type VerifyOptions = PassPlaces & {
  /** How long to wait for a barrier behind the log's last Output; 0: take the newest common one. */
  readonly waitMs: number
  /** Differences kept in full, per table. */
  readonly maxListed?: number
  readonly onProgress?: (text: string) => void
}

export type VerifyResult = {
  readonly barrier: Pick<Barrier, 'pos' | 'src' | 'ns'>
  /** Whether the barrier stands behind the last Output that the log had when the barrier was chosen. */
  readonly coversLastOutput: boolean
  readonly lastOutput: bigint
  readonly tables: readonly TableResult[]
  readonly differences: number
  /** Balances of parked users that stand still at an earlier version, as they may. */
  readonly parkedBalances: number
  /** Places that nobody looked at. */
  readonly leftOut: readonly PlaceName[]
}

/**
 * Proves log = ScyllaDB = StarRocks = CSV at a common barrier, by folding the log anew with the naive ledger; without
 * those of the three that are null, and then without waiting for what writes them.
 * @throws Stop when a place can't be read, or no barrier is common within the wait; `verify-nothing` without any place
 */
export const verify = async (options: VerifyOptions): Promise<VerifyResult> => {
  const { cql, sql, archiveDir } = options
  if (cql === null && sql === null && archiveDir === null)
    throw new Stop({
      code: 'verify-nothing',
      reason: 'usage',
      message: 'every place is left out: there is nothing to compare the log with; leave out fewer with --skip',
    })
  if (archiveDir !== null) await requireFolder(archiveDir)
  options.onProgress?.('waiting for a barrier that every reader has passed')
  const without = new Set([
    ...(cql === null ? (['settle'] as const) : []),
    ...(sql === null ? (['load'] as const) : []),
    ...(archiveDir === null ? (['archive', 'archiveLog'] as const) : []),
  ])
  const common = await awaitCommonBarrier({ ...options, without })
  const tally = new Tally(options.maxListed === undefined ? {} : { maxListed: options.maxListed })
  const digests = new RowDigests()
  const { parkedBalances } = await new Pass({
    ...options,
    common,
    tally,
    sink: digests,
    wants: () => true,
  }).everything()
  digests.count(tally)
  const differing = digests.differing()
  if (differing.size > 0) {
    options.onProgress?.(`reading again what differs: ${[...differing.keys()].map(nameOf).join(', ')}`)
    const details = new RowDetails(differing)
    // What is wrong with log and files by themselves was told at the first pass.
    const silent = new Tally()
    const second = {
      ...options,
      common,
      tally: silent,
      sink: details,
      wants: (shape: RowShape) => details.wants(shape),
    }
    await new Pass(second).rowsAgain()
    details.tell(tally)
  }
  const { barrier, lastOutput } = common
  return {
    barrier: { pos: barrier.pos, src: barrier.src, ns: barrier.ns },
    coversLastOutput: barrier.pos >= lastOutput,
    lastOutput,
    tables: tally.tables(),
    differences: tally.differences,
    parkedBalances,
    leftOut: [...leftOutOf(options)],
  }
}

const nameOf = ({ place, table }: RowShape): string => `${place} ${table}`
