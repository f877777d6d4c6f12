import type { UserRecord } from '../../../core/events.ts'
import { correctionChange } from '../../../core/fold.ts'
import type { CommittedOffset } from '../../../runtime/kafka/port.ts'
import { fromCommitted } from '../../../runtime/reader/progress.ts'
import { decodeUserRecord } from '../../../schemas/codec.ts'
import type { World } from '../world.ts'

/**
 * Looks at each offset that settle commits: it stands behind a barrier, and everything before it is where no loss of
 * power can take it, history and balances alike.
 */
export class CommitWatch {
  readonly #world: World
  /** How far each partition was looked at. */
  readonly #checked = new Map<number, bigint>()
  /** Users that may stand still. */
  readonly #parked = new Set<bigint>()

  constructor(world: World) {
    this.#world = world
  }

  /** A user is parked: from here on its cells may stand still. */
  parked(user: bigint): void {
    this.#parked.add(user)
  }

  committed(partition: number, committed: CommittedOffset): void {
    const { names, broker, trace } = this.#world
    const progress = fromCommitted(committed)
    trace.tell('kafka', `settle commits ${names.topics.users}-${partition} at n=${progress?.n} pos=${progress?.pos}`)
    const log = broker.log(names.topics.users, partition)
    const from = this.#checked.get(partition) ?? 0n
    const { records } = log.read({ offset: from, maxCount: 1e9, maxBytes: 1e9 })
    const until = records.filter(({ offset }) => offset < committed.offset).map(({ value }) => decodeUserRecord(value))
    this.#checkBarrier(partition, committed.offset, progress?.n)
    if (records.some(({ offset, value }) => offset >= committed.offset && decodeUserRecord(value).kind === 'Barrier'))
      this.#world.reach('an offset was committed behind the newest barrier')
    if (this.#world.parking.now.size > 0) this.#world.reach('a barrier had parked users behind it')
    for (const record of until) this.#checkRecord(partition, record)
    if (committed.offset > from) this.#checked.set(partition, committed.offset)
  }

  #checkBarrier(partition: number, offset: bigint, n: bigint | undefined): void {
    const { names, broker } = this.#world
    const [last] = broker.log(names.topics.users, partition).tail(1, offset)
    const record = last && decodeUserRecord(last.value)
    if (record?.kind !== 'Barrier' || record.n !== n || last?.offset !== offset - 1n)
      this.#world.violate(
        'offsets are committed at barriers',
        `partition ${partition}: offset ${offset} with n=${n} follows ${record ? `a ${record.kind} of n=${record.n}` : 'nothing'}`,
      )
  }

  #checkRecord(partition: number, record: UserRecord): void {
    if (record.kind !== 'UserOutput' && record.kind !== 'UserCorrection') return
    const user = record.kind === 'UserOutput' ? record.user : record.correction.user
    const { storeWatch } = this.#world
    const broken = (what: string): void =>
      this.#world.violate(
        'what is committed survives a loss of power',
        `partition ${partition}, n=${record.n} pos=${record.pos}, user ${user}: ${what}`,
      )
    if (!storeWatch.hasDurableHistory(user, record.pos)) broken('its history is not on two disks')
    if (this.#parked.has(user)) {
      if (this.#world.parking.now.has(user)) this.#world.reach('an output of a parked user came')
      return
    }
    const changes =
      record.kind === 'UserOutput' ? record.changes.map(({ value }) => value) : [correctionChange(record.correction)]
    for (const { asset, version } of changes)
      if (storeWatch.durableVersion(user, asset) < version)
        broken(
          `the balance of asset ${asset} is on two disks at version ${storeWatch.durableVersion(user, asset)}, not ${version}`,
        )
  }
}
