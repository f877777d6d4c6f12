import type { Command } from '../../core/events.ts'
import type { UserId } from '../../core/ids.ts'
import { refuse } from '../../runtime/stop.ts'
import { tableText } from '../table-text.ts'
import { checkWaiting } from './check-waiting.ts'
import type { OperatorPlaces, OperatorRequest, Plan } from './operator-command.ts'
import { balanceBefore, type Posting } from './standing.ts'
import { type NamedAsset, readUserStanding, type UserStanding } from './user-standing.ts'

export type RedriveArguments = { readonly user: UserId }

/** Asks the owner of a parked user to read the log again for it. */
export const redriveRequest = ({ user }: RedriveArguments): OperatorRequest => ({
  isSame: async record => record.kind === 'Redrive' && record.user === user,
  plan: async (places, command, waiting) => {
    checkWaiting(waiting, record => record.kind === 'Redrive' && record.user === user)
    return planRedrive(places, command, user)
  },
})

const planRedrive = async (places: OperatorPlaces, command: Command, user: UserId): Promise<Plan> => {
  const standing = await readUserStanding(places, user, { from: 'cells' })
  if (standing.parked.length === 0)
    throw refuse(
      'not-parked',
      `user ${user} is not parked: the store has every version that settle ever refused of it, so there is nothing to ` +
        'read again. See settle status for who is',
    )
  const obstacles = obstaclesOf(standing)
  return {
    record: { kind: 'Redrive', command, user },
    text: [
      `User ${user} is parked`,
      refusedText(standing),
      ...obstacles.map(obstacle => obstacleText(user, obstacle)),
      verdictText(standing, obstacles),
    ].join('\n'),
    facts: {
      parked: standing.parked,
      readFrom: standing.readFrom,
      heals: obstacles.length === 0,
      missing: obstacles.flatMap(each => (each.kind === 'missing' ? [missingFact(each)] : [])),
      contradicts: obstacles.flatMap(each => (each.kind === 'contradicts' ? [contradictsFact(each)] : [])),
    },
  }
}

/** Why a user would be parked again. */
type Obstacle = {
  /** A version is in no record of the log; or the next one is there and does not follow. */
  readonly kind: 'missing' | 'contradicts'
  readonly named: NamedAsset
  /** The last version that the log leads to. */
  readonly version: bigint
  /** The change that can't be applied. */
  readonly change: Posting
}

const obstaclesOf = ({ known, of, named }: UserStanding): readonly Obstacle[] =>
  known.flatMap(asset => {
    const { base, waits, contradicts } = of(asset).standing
    const change = contradicts ?? waits
    if (!change) return []
    return [{ kind: contradicts ? 'contradicts' : 'missing', named: named(asset), version: base.version, change }]
  })

const refusedText = ({ parked, of, named }: UserStanding): string =>
  tableText(
    ['asset', 'version refused', 'at pos', 'why', 'version in the store', 'the log leads to'],
    parked.map(({ asset, version, pos, code }) => {
      const { stored, standing } = of(asset)
      const { name } = named(asset)
      return [`${name} (${asset})`, version, pos, code, stored.version, standing.base.version]
    }),
    ['version refused', 'at pos', 'version in the store', 'the log leads to'],
  )

const obstacleText = (user: UserId, { kind, named, version, change }: Obstacle): string => {
  const what = `Asset ${named.name} (${named.asset})`
  if (kind === 'contradicts')
    return (
      `${what}: version ${change.version} at pos ${change.pos} does not follow from version ${version}: the engine ` +
      'contradicts itself, so ask its makers'
    )
  const { version: last, available, frozen } = balanceBefore(change)
  const missing = last === version + 1n ? `version ${last} is` : `versions ${version + 1n} to ${last} are`
  return (
    `${what}: ${missing} missing, version ${change.version} at pos ${change.pos} waits. If the engine's books say so: ` +
    `settle correct --user ${user} --asset ${named.name} --version ${last} --available ${available} --frozen ${frozen}`
  )
}

const verdictText = ({ readFrom }: UserStanding, obstacles: readonly Obstacle[]): string => {
  const from =
    readFrom === 'cells' ? '' : ' (the log was looked through from the refused record on; all of it is too long)'
  return obstacles.length === 0
    ? `A redrive heals the user: everything after the store's balances follows${from}.`
    : `A redrive alone DOES NOT heal the user, who stays parked${from}. A correction that fits heals by itself.`
}

const missingFact = ({ named, version, change }: Obstacle) => ({
  asset: named.asset,
  from: version + 1n,
  ...balanceBefore(change),
  waits: { version: change.version, pos: change.pos },
})

const contradictsFact = ({ named, change }: Obstacle) => ({
  asset: named.asset,
  version: change.version,
  pos: change.pos,
})
