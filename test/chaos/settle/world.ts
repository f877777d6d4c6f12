import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaPort } from '../../../runtime/kafka/port.ts'
import type { StreamNames } from '../../../runtime/names.ts'
import { Calm } from '../calm.ts'
import { Cast } from '../cast.ts'
import { Crew } from '../crew.ts'
import { Engine } from '../engine.ts'
import { type FaultOutcome, outcomeOf } from '../fault-count.ts'
import type { Leg } from '../leg.ts'
import { isServiceFault, sessionTimeoutMs } from '../service-faults.ts'
import type { StackServer } from '../stack-server.ts'
import type { Line } from '../supervised.ts'
import type { Trace } from '../trace.ts'
import { Failovers } from './failovers.ts'
import { type LegName, nodeNumbers, type NodeNumber, type ServiceKind, type SettleFault } from './faults.ts'

export type SettleWorldOptions = {
  readonly names: StreamNames
  /** Logs and the engine's journal. */
  readonly dir: string
  readonly trace: Trace
  readonly broker: StackServer
  readonly nodes: Readonly<Record<NodeNumber, StackServer>>
  readonly legs: Readonly<Record<LegName, Leg>>
  readonly engineEnv: Readonly<Record<string, string>>
  readonly serviceEnv: Readonly<Record<ServiceKind, Readonly<Record<string, string>>>>
  /** A way to the broker that no fault is on. */
  readonly kafka: KafkaPort
}

const usual: Readonly<Record<ServiceKind, number>> = { settle: 3, repartition: 2, bridge: 2 }
/** The most of settle that run at once. */
const mostSettle = 5
/** How long a leg's fault waits for its bytes. */
const legWaitMs = 15_000
const engineStopMs = 25_000
const lookMs = 100

/** What settle says when money is in doubt. None of it may happen here: the engine is honest. */
const alarms = ['money is not conserved', 'too many intervals wait', 'user parked', 'does not heal the user'] as const

/** The services between an engine and the store, the store's three nodes and the broker: each may be hit at any moment. */
export class SettleWorld {
  readonly cast: Cast
  readonly engine: Engine
  readonly failovers: Failovers
  readonly #options: SettleWorldOptions
  readonly #crews: Readonly<Record<ServiceKind, Crew>>
  readonly #calm = new Calm()
  /** The store bears one node's absence: what befalls its nodes comes one after the other. */
  #nodeFault: SettleFault['kind'] | null = null
  #reopened = 0
  #stalls = 0
  #lateIntervals = 0

  constructor(options: SettleWorldOptions) {
    this.#options = options
    this.failovers = new Failovers(() => options.trace.nowMs)
    this.cast = new Cast(options)
    this.engine = new Engine({ cast: this.cast, trace: options.trace, env: options.engineEnv })
    this.#crews = { settle: this.#crew('settle'), repartition: this.#crew('repartition'), bridge: this.#crew('bridge') }
  }

  /** Times that an owner threw away its cache because a node's writes were in doubt. */
  get reopened(): number {
    return this.#reopened
  }

  /** Times that settle said that it could not commit for long. */
  get stalls(): number {
    return this.#stalls
  }

  /** Times that settle said that an interval lacks rows after a minute; that none lacks them at the end, verify tells. */
  get lateIntervals(): number {
    return this.#lateIntervals
  }

  start(): void {
    this.engine.process.start()
    for (const crew of Object.values(this.#crews)) crew.start()
  }

  /** Does it, and resolves when it is over; what finds nobody to hit, or another of its kind at work, is skipped. */
  async apply(fault: SettleFault): Promise<FaultOutcome> {
    const { broker, nodes, legs } = this.#options
    if (isServiceFault(fault)) return this.#crews[fault.service].apply(fault)
    switch (fault.kind) {
      case 'node-kill':
        if (broker.state === 'down') return 'skipped'
        return this.#onNodes(fault.kind, () => nodes[fault.node].killAndStart(() => this.#calm.pause(fault.downMs)))
      case 'node-freeze':
        return this.#onNodes(fault.kind, () => nodes[fault.node].freezeWhile(this.#calm.pause(fault.forMs)))
      case 'quorum-loss': {
        const frozen = nodeNumbers.filter(each => each !== fault.stays)
        const wait = this.#calm.pause(fault.forMs)
        return this.#onNodes(fault.kind, () =>
          this.failovers.during(fault.kind, Promise.all(frozen.map(each => nodes[each].freezeWhile(wait)))),
        )
      }
      case 'broker-kill':
        // The stack starts one server at a time: the broker would be killed only once the node is up.
        if (broker.state !== 'up' || this.#nodeFault === 'node-kill') return 'skipped'
        await this.failovers.during(
          fault.kind,
          broker.killAndStart(() => this.#calm.pause(fault.downMs)),
          // A coordinator that starts gives each member a session anew, the dead ones too.
          { lingersMs: sessionTimeoutMs },
        )
        return 'applied'
      case 'broker-freeze':
        if (broker.state !== 'up') return 'skipped'
        await this.failovers.during(fault.kind, broker.freezeWhile(this.#calm.pause(fault.forMs)))
        return 'applied'
      case 'cut':
        return outcomeOf(await legs[fault.leg].apply(fault.fault, { withinMs: legWaitMs }))
    }
  }

  /** No more faults: whoever is frozen goes on, whoever is down comes up. */
  calm(): void {
    this.#calm.begin()
  }

  /**
   * One owner after another is killed while nothing else happens: each once all partitions have been shared out again and
   * those of the one before are written. Ends early when that takes too long.
   */
  async failOver(
    times: number,
    {
      partitions,
      withinMs,
      signal,
    }: { readonly partitions: number; readonly withinMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const isOver = (): boolean => this.failovers.isOver({ partitions, owners: usual.settle })
    const isOverInTime = async (): Promise<boolean> => {
      const deadline = this.#options.trace.nowMs + withinMs
      while (!isOver() && this.#options.trace.nowMs < deadline) await delay(lookMs, undefined, { signal })
      return isOver()
    }
    for (let nth = 0; nth < times && (await isOverInTime()); nth++)
      await this.#crews.settle.apply({ kind: 'kill', service: 'settle', whose: 'owner', nth })
    await isOverInTime()
  }

  /** Ends all processes: in good order, so that their exit codes count, or at once. */
  async end(how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.calm()
    const { cast, engine } = this
    await Promise.all([
      ...Object.values(this.#crews).map(crew => crew.end(how)),
      cast.retire(engine.process, { with: how, withinMs: engineStopMs }),
    ])
  }

  async #onNodes(kind: SettleFault['kind'], act: () => Promise<unknown>): Promise<FaultOutcome> {
    if (this.#nodeFault !== null) return 'skipped'
    this.#nodeFault = kind
    try {
      await act()
    } finally {
      this.#nodeFault = null
    }
    return 'applied'
  }

  #crew(service: ServiceKind): Crew {
    const { kafka, names, trace, serviceEnv } = this.#options
    return new Crew({
      ...{ service, usual: usual[service], most: mostSettle, cast: this.cast, calm: this.#calm, trace },
      env: () => serviceEnv[service],
      ...(service === 'settle' && {
        witness: this.failovers,
        joins: { kafka, group: names.groups.settle, topic: names.topics.users },
        onLine: (name, line) => this.#readSettle(name, line),
      }),
    })
  }

  #readSettle(name: string, line: Line): void {
    const { msg, level, partition, partitions } = line
    if (typeof msg !== 'string') return
    if (msg === 'assigned' && Array.isArray(partitions)) this.failovers.assigned(name, partitions as number[])
    if (msg === 'partition opened') this.failovers.opened(name, Number(partition))
    if (msg === 'first batch acknowledged') this.failovers.acknowledged(name, Number(partition))
    if (msg === 'starting again from the committed offset') this.#reopened++
    if (msg === 'no barrier could be committed for long') this.#stalls++
    if (msg.startsWith('an interval still lacks rows')) this.#lateIntervals++
    if (level === 'error' && alarms.some(alarm => msg.startsWith(alarm)))
      this.#options.trace.violate(`${name}: ${JSON.stringify({ ...line, time: undefined })}`, {
        shown: 'with the lines before',
      })
  }
}
