import type { MemoryCluster } from '../../runtime/cql/testing/memory-cluster.ts'
import type { MemoryBroker } from '../../runtime/kafka/testing/memory-broker.ts'
import { namesOf } from '../../runtime/names.ts'
import type { Check } from './checks/check.ts'
import { CommitWatch } from './checks/commit-watch.ts'
import { Parking } from './checks/parking.ts'
import { StoreWatch } from './checks/store-watch.ts'
import { Dice } from './dice.ts'
import { WorldEngine } from './engine/world-engine.ts'
import { openBroker } from './places/broker.ts'
import { openCluster } from './places/cluster.ts'
import { Fleet } from './processes/fleet.ts'
import type { Sometimes } from './sometimes.ts'
import { Timeline } from './timeline.ts'
import { Trace } from './trace.ts'
import { type Weather, weatherOf } from './weather.ts'

export type Violation = { readonly check: Check; readonly text: string }

const heartbeatMs = 400

/** One seed's world: an engine, a broker, a store of three replicas, and the real services between them. */
export class World {
  readonly names = namesOf('sim')
  readonly seed: number
  readonly weather: Weather
  readonly timeline = new Timeline()
  readonly trace = new Trace(this.timeline)
  readonly violations: Violation[] = []
  readonly reached = new Map<Sometimes, number>()
  readonly faults = new Map<string, number>()
  /** What may stop a service for good until an operator mends it, as things are now; by its code. */
  readonly explained = new Set<string>()
  readonly engine: WorldEngine
  readonly broker: MemoryBroker
  readonly cluster: MemoryCluster
  readonly storeWatch: StoreWatch
  readonly commitWatch: CommitWatch
  readonly parking: Parking
  readonly fleet: Fleet
  /** From the calm on nothing goes wrong any more. */
  isCalm = false

  constructor(seed: number) {
    this.seed = seed
    this.weather = weatherOf(seed)
    const { timeline, trace, weather, names } = this
    const dice = this.dice('engine')
    this.engine = new WorldEngine({
      seed,
      users: weather.users,
      stream: names.stream,
      timeline,
      trace,
      dice,
      margin: weather.margin,
    })
    this.storeWatch = new StoreWatch(this)
    this.commitWatch = new CommitWatch(this)
    this.broker = openBroker(this)
    this.cluster = openCluster(this)
    this.parking = new Parking(this)
    this.fleet = new Fleet(this)
    this.#beat()
  }

  violate(check: Check, text: string): void {
    this.trace.tell('CHECK', `${check}: ${text}`)
    this.violations.push({ check, text })
  }

  reach(state: Sometimes): void {
    this.reached.set(state, (this.reached.get(state) ?? 0) + 1)
    this.trace.mix(state)
  }

  fault(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1)
    this.trace.mix(kind)
  }

  /** Chances of their own for each purpose. */
  dice(purpose: string): Dice {
    return new Dice(this.seed, purpose)
  }

  #beat(): void {
    this.engine.beat()
    this.timeline.after(heartbeatMs, () => this.#beat())
  }
}
