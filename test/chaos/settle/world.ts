import { KafkaFailure, type KafkaPort } from '../../../runtime/kafka/port.ts'
import type { StreamNames } from '../../../runtime/names.ts'
import { serviceEntries } from '../../../sim/pipeline/services.ts'
import { Calm } from '../calm.ts'
import { Cast } from '../cast.ts'
import { Engine } from '../engine.ts'
import { type FaultOutcome, outcomeOf } from '../fault-count.ts'
import type { Leg } from '../leg.ts'
import type { StackServer } from '../stack-server.ts'
import type { Line, Supervised } from '../supervised.ts'
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
const bounds = {
  /** How long a leg's fault waits for its bytes. */
  legWaitMs: 15_000,
  stopMs: 25_000,
} as const

/** What settle says when money is in doubt. None of it may happen here: the engine is honest. */
const alarms = ['money is not conserved', 'too many intervals wait', 'user parked', 'does not heal the user'] as const

/** The services between an engine and the store, the store's three nodes and the broker: each may be hit at any moment. */
export class SettleWorld {
  readonly cast: Cast
  readonly engine: Engine
  readonly failovers = new Failovers()
  readonly #options: SettleWorldOptions
  readonly #running: Readonly<Record<ServiceKind, Supervised[]>>
  readonly #calm = new Calm()
  /** The store bears one node's absence: what befalls its nodes comes one after the other. */
  #nodeFault: SettleFault['kind'] | null = null
  #scaleIn: Promise<unknown> | null = null
  #extras = 0
  #reopened = 0
  #stalls = 0
  #lateIntervals = 0

  constructor(options: SettleWorldOptions) {
    this.#options = options
    this.cast = new Cast(options)
    this.engine = new Engine({ cast: this.cast, trace: options.trace, env: options.engineEnv })
    const some = (service: ServiceKind): Supervised[] =>
      Array.from({ length: usual[service] }, (_, i) => this.#process(service, `${service}-${i + 1}`))
    this.#running = { settle: some('settle'), repartition: some('repartition'), bridge: some('bridge') }
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
    for (const processes of Object.values(this.#running)) for (const process of processes) process.start()
  }

  /** Does it, and resolves when it is over; what finds nobody to hit, or another of its kind at work, is skipped. */
  async apply(fault: SettleFault): Promise<FaultOutcome> {
    const { broker, nodes, legs } = this.#options
    switch (fault.kind) {
      case 'kill':
        return outcomeOf(this.#kill(this.#hit(fault)))
      case 'stop':
        return outcomeOf(this.#hit(fault)?.terminate())
      case 'freeze':
        return outcomeOf(await this.#hit(fault)?.holdWhile(this.#calm.pause(fault.forMs)))
      case 'scale-out':
        return this.#scaleOut(fault)
      case 'scale-in':
        return this.#scaleInTo(fault)
      case 'rebalance':
        return this.#rebalance(fault.forMs)
      case 'node-kill':
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
        if (broker.state !== 'up') return 'skipped'
        await this.failovers.during(
          fault.kind,
          broker.killAndStart(() => this.#calm.pause(fault.downMs)),
        )
        return 'applied'
      case 'broker-freeze':
        if (broker.state !== 'up') return 'skipped'
        await this.failovers.during(fault.kind, broker.freezeWhile(this.#calm.pause(fault.forMs)))
        return 'applied'
      case 'cut':
        return outcomeOf(await legs[fault.leg].apply(fault.fault, { withinMs: bounds.legWaitMs }))
    }
  }

  /** No more faults: whoever is frozen goes on, whoever is down comes up. */
  calm(): void {
    this.#calm.begin()
  }

  /** Ends all processes: in good order, so that their exit codes count, or at once. */
  async end(how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.calm()
    const retire = { with: how, withinMs: bounds.stopMs }
    const services = Object.values(this.#running).flat()
    await Promise.all([...services, this.engine.process].map(process => this.cast.retire(process, retire)))
  }

  #hit({ service, nth }: { readonly service: ServiceKind; readonly nth: number }): Supervised | undefined {
    const alive = this.#running[service].filter(({ pid }) => pid !== null)
    return alive[nth % Math.max(1, alive.length)]
  }

  #kill(process: Supervised | undefined): boolean {
    const atMs = this.#options.trace.nowMs
    if (!process?.kill()) return false
    this.failovers.killed(process.name, atMs)
    return true
  }

  async #scaleOut({ by, forMs, end }: Extract<SettleFault, { kind: 'scale-out' }>): Promise<FaultOutcome> {
    const { settle } = this.#running
    if (settle.length + by > mostSettle) return 'skipped'
    const extras = Array.from({ length: by }, () => this.#process('settle', `settle-extra-${++this.#extras}`))
    for (const extra of extras) {
      settle.push(extra)
      extra.start()
    }
    await this.#calm.pause(forMs)
    const retire = async (extra: Supervised): Promise<void> => {
      if (end === 'SIGKILL') this.failovers.killed(extra.name, this.#options.trace.nowMs)
      settle.splice(settle.indexOf(extra), 1)
      await this.cast.retire(extra, { with: end, withinMs: bounds.stopMs })
    }
    await Promise.all(extras.map(retire))
    return 'applied'
  }

  async #scaleInTo({ stays, forMs }: Extract<SettleFault, { kind: 'scale-in' }>): Promise<FaultOutcome> {
    const one = this.#hit({ service: 'settle', nth: stays })
    if (!one || this.#scaleIn) return 'skipped'
    // Whoever ends now comes up again only when it is over; so does the one that stays, should a fault hit it.
    const wait = this.#calm.pause(forMs)
    this.#scaleIn = wait
    for (const process of this.#running.settle) if (process !== one) process.terminate()
    await wait
    this.#scaleIn = null
    return 'applied'
  }

  async #rebalance(forMs: number): Promise<FaultOutcome> {
    const { kafka, names } = this.#options
    try {
      const membership = await kafka.join({
        group: names.groups.settle,
        topic: names.topics.users,
        onAssignment: () => {},
        onFailure: () => {},
      })
      await this.#calm.pause(forMs)
      await membership.leave()
      return 'applied'
    } catch (error) {
      // The broker was down or the group did not settle: it was hit by something else.
      if (error instanceof KafkaFailure) return 'skipped'
      throw error
    }
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

  #process(service: ServiceKind, name: string): Supervised {
    const isSettle = service === 'settle'
    return this.cast.add({
      ...{ name, entry: serviceEntries[service], env: () => this.#options.serviceEnv[service] },
      onLine: line => {
        this.#options.trace.log(name, line)
        if (isSettle) this.#readSettle(name, line)
      },
      onStart: () => this.failovers.started(name),
      onExit: () => this.failovers.ended(name),
      gate: async () => void (isSettle && (await this.#scaleIn)),
    })
  }

  #readSettle(name: string, line: Line): void {
    const { msg, level, partition, partitions } = line
    if (typeof msg !== 'string') return
    if (msg === 'assigned' && Array.isArray(partitions)) this.failovers.assigned(name, partitions as number[])
    if (msg === 'partition opened') this.failovers.opened(name, Number(partition))
    if (msg === 'first batch acknowledged')
      this.failovers.acknowledged(name, Number(partition), this.#options.trace.nowMs)
    if (msg === 'starting again from the committed offset') this.#reopened++
    if (msg === 'no barrier could be committed for long') this.#stalls++
    if (msg.startsWith('an interval still lacks rows')) this.#lateIntervals++
    if (level === 'error' && alarms.some(alarm => msg.startsWith(alarm)))
      this.#options.trace.violate(`${name}: ${JSON.stringify({ ...line, time: undefined })}`, {
        shown: 'with the lines before',
      })
  }
}
