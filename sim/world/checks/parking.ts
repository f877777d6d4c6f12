import { userId } from '../../../core/ids.ts'
import type { World } from '../world.ts'
import { LogView } from './log-view.ts'

/** Exactly those users are parked who must be: whose versions have a hole in the log that nothing closed yet. */
export class Parking {
  readonly #world: World
  readonly #log: LogView

  constructor(world: World) {
    this.#world = world
    this.#log = new LogView(world)
  }

  /** An owner parks a user at the record of that pos. */
  parked(user: bigint, pos: bigint): void {
    if (this.#log.holes(userId(user), pos).length === 0)
      this.#world.violate(
        'exactly those are parked who must be',
        `user ${user} is parked at pos ${pos}, but its versions have no hole up to there`,
      )
    this.#world.commitWatch.parked(user)
  }
}
