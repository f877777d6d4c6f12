import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaPort } from '../../../runtime/kafka/port.ts'
import type { StreamNames } from '../../../runtime/names.ts'
import { Calm } from '../calm.ts'
import { Cast } from '../cast.ts'
import { Crew, type CrewOptions } from '../crew.ts'
import { Engine } from '../engine.ts'
import type { Mends } from '../exits.ts'
import { type FaultOutcome, outcomeOf } from '../fault-count.ts'
import { isServiceFault } from '../service-faults.ts'
import type { StackServer } from '../stack-server.ts'
import type { Line } from '../supervised.ts'
import type { Trace } from '../trace.ts'
import type { SinkFault, SinkKind } from './faults.ts'
import type { SmallDisk } from './small-disk.ts'
import type { StarRocksDoor } from './starrocks-door.ts'

type ServiceKind = SinkKind | 'repartition' | 'bridge'
type Environment = Readonly<Record<string, string>>

export type SinkWorldOptions = {
  readonly names: StreamNames
  /** Logs and the engine's journal. */
  readonly dir: string
  readonly trace: Trace
  readonly broker: StackServer
  readonly starrocks: StarRocksDoor
  /** Where the archive writes; null where nothing may be mounted. */
  readonly disk: SmallDisk | null
  readonly engineEnv: Environment
  readonly serviceEnv: Readonly<Record<ServiceKind, Environment>>
  /** A way to the broker that no fault is on. */
  readonly kafka: KafkaPort
}

const usual: Readonly<Record<ServiceKind, number>> = { load: 3, archive: 3, repartition: 1, bridge: 1 }
/** The most of a sink that run at once. */
const most = 5
const bounds = {
  engineStopMs: 25_000,
  /** A process that met an outage may be frozen first, and drains what it can before it ends: long after it is over. */
  outageToldWithinMs: 45_000,
  /** How often a disk that is full is filled up again. */
  refillMs: 100,
  /** How long a disk stays full at most until an archive ends because of it, and a fault of loads waits for some: also in the calm. */
  strikeMs: 30_000,
} as const

/** The sinks between Kafka and what they write, each instance of which may be hit; nothing befalls what brings them work. */
export class SinkWorld {
  readonly cast: Cast
  readonly engine: Engine
  /** Loads that did not go well at once, by verdict. */
  readonly loadVerdicts = new Map<string, number>()
  readonly #options: SinkWorldOptions
  readonly #crews: Readonly<Record<ServiceKind, Crew>>
  readonly #calm = new Calm()
  /** What befalls the broker, one after the other. */
  #brokerFaults: Promise<unknown> = Promise.resolve()
  #frontendUpSinceMs = Number.NEGATIVE_INFINITY
  #frontend: 'up' | 'down' = 'up'
  #diskFullEnds = 0

  constructor(options: SinkWorldOptions) {
    this.#options = options
    this.cast = new Cast(options)
    this.engine = new Engine({ cast: this.cast, trace: options.trace, env: options.engineEnv })
    this.#crews = {
      load: this.#sink('load', line => this.#readLoad(line), this.#mendsLoad),
      archive: this.#sink('archive', line => this.#readArchive(line), this.#mendsArchive),
      repartition: this.#crew('repartition'),
      bridge: this.#crew('bridge'),
    }
  }

  start(): void {
    this.engine.process.start()
    for (const crew of Object.values(this.#crews)) crew.start()
  }

  /** Does it, and resolves when it is over; what finds nobody to hit is skipped. */
  async apply(fault: SinkFault): Promise<FaultOutcome> {
    const { broker, starrocks } = this.#options
    if (isServiceFault(fault)) return this.#crews[fault.service].apply(fault)
    switch (fault.kind) {
      case 'broker-kill':
        return this.#onBroker(() => broker.killAndStart(() => this.#calm.pause(fault.downMs)))
      case 'broker-freeze':
        return this.#onBroker(() => broker.freezeWhile(this.#calm.pause(fault.forMs)))
      case 'starrocks':
        return outcomeOf(await starrocks.strike(fault.fault, { withinMs: bounds.strikeMs }))
      case 'frontend-restart':
        return this.#restartFrontend(fault.downMs)
      case 'disk-full':
        return this.#fillDisk(fault.forMs)
    }
  }

  /** No more faults: whoever is frozen goes on. */
  calm(): void {
    this.#calm.begin()
  }

  /** Nothing new comes into the topics; the sinks go on. */
  async endSources(how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.cast.retire(this.engine.process, { with: how, withinMs: bounds.engineStopMs })
    await this.#crews.bridge.end(how)
    await this.#crews.repartition.end(how)
  }

  /** Ends all processes: in good order, so that their exit codes count, or at once. */
  async end(how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.calm()
    await Promise.all([this.endSources(how), this.#crews.load.end(how), this.#crews.archive.end(how)])
  }

  async #onBroker(act: () => Promise<void>): Promise<FaultOutcome> {
    const turn = this.#brokerFaults.then(act)
    this.#brokerFaults = turn.catch(() => {})
    await turn
    return 'applied'
  }

  async #restartFrontend(downMs: number): Promise<FaultOutcome> {
    this.#frontend = 'down'
    await this.#options.starrocks.restartFrontend(downMs)
    this.#frontend = 'up'
    this.#frontendUpSinceMs = performance.now()
    return 'applied'
  }

  /** Full for so long, and until an archive has ended because of it. */
  async #fillDisk(forMs: number): Promise<FaultOutcome> {
    const { disk } = this.#options
    if (!disk) return 'skipped'
    const before = this.#diskFullEnds
    const hasEnded = (): boolean => this.#diskFullEnds > before
    const startMs = performance.now()
    const lasts = (ms: number): boolean => performance.now() - startMs < ms
    try {
      while (lasts(hasEnded() ? forMs : bounds.strikeMs)) {
        await disk.fill()
        await delay(bounds.refillMs)
      }
    } finally {
      await disk.empty()
    }
    return outcomeOf(hasEnded())
  }

  #crew(service: ServiceKind, more?: Pick<CrewOptions, 'joins' | 'onLine' | 'mends'>): Crew {
    const { trace, serviceEnv } = this.#options
    return new Crew({
      ...{ service, usual: usual[service], most, cast: this.cast, calm: this.#calm, trace },
      env: name => ({ ...serviceEnv[service], ...(service === 'archive' && { INSTANCE: name }) }),
      ...more,
    })
  }

  #sink(service: SinkKind, onLine: (line: Line) => void, mends: Mends): Crew {
    const { kafka, names } = this.#options
    const joins = { kafka, group: names.groups[service], topic: names.topics.users }
    return this.#crew(service, { joins, mends, onLine: (_, line) => onLine(line) })
  }

  /** A start asks StarRocks whose the database is, and its frontend was away. */
  readonly #mendsLoad = (code: string): string | null => {
    const sinceMs = this.#frontend === 'down' ? 0 : performance.now() - this.#frontendUpSinceMs
    return code === 'starrocks-unreachable' && sinceMs < bounds.outageToldWithinMs ? 'StarRocks out of reach' : null
  }

  readonly #mendsArchive = (code: string): string | null => {
    const { disk } = this.#options
    return code === 'disk-full' && disk?.wasFull({ withinMs: bounds.outageToldWithinMs }) ? 'the disk full' : null
  }

  /** The disk was full for it: so it said, and ends. */
  #readArchive({ code }: Line): void {
    if (code === 'disk-full') this.#diskFullEnds++
  }

  #readLoad({ msg, verdict }: Line): void {
    if (msg !== 'load not done' || typeof verdict !== 'string') return
    this.loadVerdicts.set(verdict, (this.loadVerdicts.get(verdict) ?? 0) + 1)
  }
}
