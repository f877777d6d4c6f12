import { userId } from '../../core/ids.ts'
import { decodeUserRecord } from '../../schemas/codec.ts'
import { fromCommitted } from '../../runtime/reader/progress.ts'
import type { Barrier } from '../../core/events.ts'
import { LogView } from './checks/log-view.ts'
import type { Operator } from './operator.ts'
import type { World } from './world.ts'

const settledKinds = new Set(['Output', 'Reference', 'Correction', 'Redrive'])

/** Whether everything that the engine said has gone all the way. */
export class Drain {
  readonly #world: World
  readonly #operator: Operator
  readonly #log: LogView

  constructor(world: World, operator: Operator) {
    this.#world = world
    this.#operator = operator
    this.#log = new LogView(world)
  }

  /** Why it has not, or null. */
  problem(): string | null {
    return this.#bridgeProblem() ?? this.#operatorProblem() ?? this.#settleProblem()
  }

  /** The last barrier of all partitions; only once there is no problem. */
  get barrier(): Barrier {
    return this.#tail(0) as Barrier
  }

  #bridgeProblem(): string | null {
    const { engine } = this.#world
    const at = this.#log.update().at(-1)?.at
    const row = at && engine.sessions.find(at)
    const index = at && row ? row.first + at.seq - 1n : 0n
    const isCurrent = row?.epoch === engine.sessions.current.epoch
    return index === engine.sent && isCurrent
      ? null
      : `the log stands at output ${index} of ${engine.sent}, session ${at?.epoch} of ${engine.sessions.current.epoch}`
  }

  #operatorProblem(): string | null {
    if (!this.#operator.isIdle) return 'commands are not answered'
    for (const { user } of this.#world.engine.truth.accounts()) {
      const [hole] = this.#log.holes(userId(user))
      if (hole) return `user ${user}, asset ${hole.asset} lacks versions ${hole.from} to ${hole.to}`
    }
    return null
  }

  #settleProblem(): string | null {
    const { broker, names, weather } = this.#world
    const lastRelevant = this.#log.records.findLast(({ kind }) => settledKinds.has(kind))?.pos ?? 0n
    const committed = broker.offsets(names.groups.settle, names.topics.users)
    for (let partition = 0; partition < weather.partitions; partition++) {
      const tail = this.#tail(partition)
      if (tail?.kind !== 'Barrier' || tail.pos < lastRelevant)
        return `partition ${partition} of user.outputs ends with a ${tail?.kind ?? 'nothing'} at pos ${tail?.pos}, the log has ${lastRelevant}`
      const offset = committed.get(partition)
      const progress = offset && fromCommitted(offset)
      if (progress?.n !== tail.n) return `partition ${partition}: settle has committed n=${progress?.n} of ${tail.n}`
    }
    return null
  }

  #tail(partition: number) {
    const { broker, names } = this.#world
    const log = broker.log(names.topics.users, partition)
    const [last] = log.tail(1, log.high)
    return last && decodeUserRecord(last.value)
  }
}
