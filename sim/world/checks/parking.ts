import { userId } from '../../../core/ids.ts'
import type { World } from '../world.ts'
import { LogView } from './log-view.ts'

/** Exactly those users are parked who must be: whose versions have a hole in the log that nothing closed yet. */
export class Parking {
  readonly #world: World
  readonly #log: LogView
  readonly #now = new Set<bigint>()

  constructor(world: World) {
    this.#world = world
    this.#log = new LogView(world)
  }

  /** Users parked and not healed yet. */
  get now(): ReadonlySet<bigint> {
    return this.#now
  }

  healed(user: bigint): void {
    this.#now.delete(user)
  }

  /** Whether a Redrive of that user stands there: it brings cells, and has no history of its own. */
  isRedrive(user: bigint, pos: bigint): boolean {
    return this.#log.update().some(record => record.kind === 'Redrive' && record.pos === pos && record.user === user)
  }

  /** An owner parks a user at the record of that pos. */
  parked(user: bigint, pos: bigint): void {
    if (this.#log.holes(userId(user), pos).length === 0)
      this.#world.violate(
        'exactly those are parked who must be',
        `user ${user} is parked at pos ${pos}, but its versions have no hole up to there`,
      )
    this.#now.add(user)
    this.#world.commitWatch.parked(user)
  }
}
