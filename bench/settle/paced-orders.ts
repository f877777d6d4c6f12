import type { EngineOutput } from '../../core/events.ts'
import { type UserId, userId } from '../../core/ids.ts'
import { partitionOf } from '../../core/partition.ts'
import { type Exchange, exchangeSize } from './exchange.ts'

export const ordersPerSecond = 500
export const probesPerSecond = 20
/** Orders and the deposits among them. */
export const outputsPerSecond = ordersPerSecond + probesPerSecond
const outputsPerProbe = outputsPerSecond / probesPerSecond

/** A deposit whose arrival in the store is looked for. */
export type Probe = { readonly user: UserId; readonly version: bigint }

/** One user of each partition, who only receives probes. */
const probeUsers: readonly UserId[] = Array.from({ length: exchangeSize.partitions }, (_, partition) => {
  for (let id = 2_000_000_000n; ; id++)
    if (partitionOf(userId(id), exchangeSize.partitions) === partition) return userId(id)
})

/** Orders of the exchange at their times, with probes evenly among them. */
export class PacedOrders {
  readonly #exchange: Exchange
  readonly #asset: number
  #probes = 0

  constructor(exchange: Exchange) {
    this.#exchange = exchange
    this.#asset = exchange.assets[0] as number
  }

  /** The `index`th output of a run. */
  make(index: number, timeUs: bigint): { readonly output: EngineOutput; readonly probe: Probe | null } {
    if (index % outputsPerProbe !== 0) return { output: this.#exchange.order(timeUs), probe: null }
    const user = probeUsers[this.#probes++ % probeUsers.length] as UserId
    const output = this.#exchange.deposit(user, this.#asset, 1n, timeUs)
    return { output, probe: { user, version: this.#exchange.account(user, this.#asset).version } }
  }
}
