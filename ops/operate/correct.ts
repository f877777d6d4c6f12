import type { Command, CommandRecord, CorrectionBody } from '../../core/events.ts'
import { type Amount, amount, type UserId, type Version } from '../../core/ids.ts'
import { isAmount } from '../../core/money.ts'
import { refuse, Stop } from '../../runtime/stop.ts'
import { checkWaiting } from './check-waiting.ts'
import { correctionText, otherHoles } from './correct-text.ts'
import type { OperatorPlaces, OperatorRequest, Plan } from './operator-command.ts'
import { type Balance, balanceBefore, isSameBalance, type Standing } from './standing.ts'
import { type NamedAsset, readAssets, readUserStanding } from './user-standing.ts'

export type CorrectArguments = {
  readonly user: UserId
  /** Name or number. */
  readonly asset: string
  readonly version: Version
  readonly available: Amount
  readonly frozen: Amount
  /** No output of the log has asked for the version yet. */
  readonly ahead?: true
}

/** Supplies the missing version, or the last of several, of a user's balance. */
export const correctRequest = (given: CorrectArguments): OperatorRequest => ({
  isSame: async (record, places) => {
    if (record.kind !== 'Correct') return false
    const { user, version, available, frozen, asset } = record.correction
    const isEqual =
      user === given.user && version === given.version && available === given.available && frozen === given.frozen
    return isEqual && asset === (await findAsset(places, given.asset)).asset
  },
  plan: (places, command, waiting) => planCorrection(places, { command, given, waiting }),
})

const planCorrection = async (
  places: OperatorPlaces,
  {
    command,
    given,
    waiting,
  }: { readonly command: Command; readonly given: CorrectArguments; readonly waiting: readonly CommandRecord[] },
): Promise<Plan> => {
  const { user, version, available, frozen } = given
  const standings = await readUserStanding(places, user, { from: 'unsettled' })
  const named = assetNamed(standings.assets, given.asset)
  checkWaiting(
    waiting,
    record => record.kind === 'Correct' && record.correction.user === user && record.correction.asset === named.asset,
  )
  const { stored, standing } = standings.of(named.asset)
  const after: Balance = { available, frozen, version }
  checkMissing({ user, named, stored, standing, after })
  checkAsked({ standing, after, ahead: given.ahead === true, what: whatOf(user, named) })
  const { base, waits } = standing
  const correction: CorrectionBody = {
    user,
    asset: named.asset,
    version,
    available,
    frozen,
    deltaAvailable: delta(available, base.available),
    deltaFrozen: delta(frozen, base.frozen),
  }
  const others = otherHoles(standings, named.asset)
  return {
    record: { kind: 'Correct', command, correction },
    text: correctionText({ user, named, stored, base, after, waits, others }),
    facts: {
      asset: named,
      stored,
      before: base,
      after,
      externalFlow: correction.deltaAvailable + correction.deltaFrozen,
      nextChange: waits && { version: waits.version, pos: waits.pos },
      otherHoles: others,
    },
  }
}

const whatOf = (user: UserId, { name, asset }: NamedAsset): string => `user ${user}, asset ${name} (${asset})`

const findAsset = async (places: OperatorPlaces, text: string): Promise<NamedAsset> => {
  const cql = await places.openCql()
  try {
    return assetNamed(await readAssets(cql), text)
  } finally {
    await cql.close()
  }
}

const assetNamed = (assets: readonly NamedAsset[], text: string): NamedAsset => {
  const found = assets.filter(({ asset, name }) => name === text || `${asset}` === text)
  const [only] = found
  if (only && found.length === 1) return only
  const known = assets.map(({ asset, name }) => `${name} (${asset})`).join(', ') || 'none yet'
  throw new Stop({
    code: 'asset-unknown',
    reason: 'usage',
    message: `--asset ${text} names ${found.length === 0 ? 'no asset' : `${found.length} assets`} of this stream; its assets are: ${known}`,
  })
}

const checkMissing = (options: {
  readonly user: UserId
  readonly named: NamedAsset
  readonly stored: Balance
  readonly standing: Standing
  readonly after: Balance
}): void => {
  const { user, named, stored, standing, after } = options
  const { base, contradicts } = standing
  const what = whatOf(user, named)
  if (after.version <= base.version) {
    const inStore = after.version <= stored.version
    const where = inStore ? `the store has it at version ${stored.version}` : `the log leads to version ${base.version}`
    const wait = inStore ? '' : ', which settle has not applied yet: see settle status'
    throw refuse('nothing-missing', `${what}: nothing is missing at version ${after.version}: ${where}${wait}`)
  }
  if (contradicts)
    throw refuse(
      'not-a-hole',
      `${what}: version ${contradicts.version} is in the log, at pos ${contradicts.pos}, and does not follow from ` +
        `version ${base.version} (${base.available} available, ${base.frozen} frozen). Nothing is missing that a ` +
        'Correction could supply: the engine contradicts itself, so ask its makers',
    )
}

/** The change that waits proves which version is missing, and what the balance was before it. */
const checkAsked = (options: {
  readonly standing: Standing
  readonly after: Balance
  readonly ahead: boolean
  readonly what: string
}): void => {
  const { standing, after, ahead, what } = options
  const { base, waits } = standing
  if (!waits) {
    if (ahead) return
    throw refuse(
      'nothing-waits',
      `${what}: it stands at version ${base.version} and no output of the log has a later one, so nothing shows that one ` +
        "is missing. The user's next output will; or, if the engine's own books say that the user is at version " +
        `${after.version} now, add --ahead: a wrong version or value can then not be found out beforehand`,
    )
  }
  if (ahead)
    throw new Stop({
      code: 'not-ahead',
      reason: 'usage',
      message: `--ahead is for a balance that nothing waits for; ${what} has version ${waits.version} waiting, so leave it out`,
    })
  const expected = balanceBefore(waits)
  if (isSameBalance(expected, after)) return
  throw refuse(
    'correction-misfit',
    `${what}: the log goes on with version ${waits.version} at pos ${waits.pos}, which follows from --version ` +
      `${expected.version} --available ${expected.available} --frozen ${expected.frozen} only; with version ` +
      `${after.version}, ${after.available} available and ${after.frozen} frozen the user would stay parked. Ask the ` +
      'engine; if its books say otherwise than its output, tell its makers',
    { version: expected.version, available: expected.available, frozen: expected.frozen },
  )
}

const delta = (after: bigint, before: bigint): Amount => {
  if (isAmount(after - before)) return amount(after - before)
  throw refuse('correction-overflow', `${after} - ${before} does not fit an int64 amount`)
}
