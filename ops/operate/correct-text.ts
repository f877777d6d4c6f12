import type { AssetId, UserId } from '../../core/ids.ts'
import { tableText } from '../table-text.ts'
import { displayAmount, signedText } from './display.ts'
import type { Balance, Posting } from './standing.ts'
import type { NamedAsset, UserStanding } from './user-standing.ts'

/** Another balance of the user that stands before a hole. */
export type Hole = { readonly asset: AssetId; readonly version: bigint; readonly waits: bigint }

export const otherHoles = ({ known, of }: UserStanding, than: AssetId): readonly Hole[] =>
  known.flatMap(asset => {
    const { base, waits } = of(asset).standing
    return asset === than || !waits ? [] : [{ asset, version: base.version, waits: waits.version }]
  })

/** Before and after, in smallest units and as people write them. */
export const correctionText = (options: {
  readonly user: UserId
  readonly named: NamedAsset
  readonly stored: Balance
  readonly base: Balance
  readonly after: Balance
  readonly waits: Posting | null
  readonly others: readonly Hole[]
}): string => {
  const { user, named, stored, base, after, waits, others } = options
  const shown = (amount: bigint): string => displayAmount(amount, named.decimals)
  const row = (what: string, { version, available, frozen }: Balance): (string | bigint)[] => [
    what,
    version,
    available,
    frozen,
    shown(available),
    shown(frozen),
  ]
  const [available, frozen] = [after.available - base.available, after.frozen - base.frozen]
  const head = ['', 'version', 'available', 'frozen', `available, ${named.name}`, `frozen, ${named.name}`]
  const rows = [
    ...(base.version === stored.version ? [] : [row('in the store', stored)]),
    row('before', base),
    row('after', after),
    [
      'change',
      `+${after.version - base.version}`,
      signedText(available),
      signedText(frozen),
      shown(available),
      shown(frozen),
    ],
  ]
  const next = waits
    ? `Version ${waits.version} at pos ${waits.pos} waits for it and follows from it.`
    : 'NOTHING IN THE LOG SHOWS THAT A VERSION IS MISSING (--ahead): the engine must be at this version now.'
  const flow = available + frozen
  return [
    `Correction of user ${user}, asset ${named.name} (${named.asset}, ${named.decimals} decimals)`,
    tableText(head, rows, head.slice(1)),
    `External flow that it adds: ${signedText(flow)} (${shown(flow)} ${named.name})`,
    next,
    ...others.map(
      hole =>
        `Asset ${hole.asset} of the user stands at version ${hole.version} while version ${hole.waits} waits: the user ` +
        'stays parked until that is corrected too.',
    ),
  ].join('\n')
}
