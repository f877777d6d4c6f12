import { KafkaFailure, type KafkaPort } from '../../runtime/kafka/port.ts'
import { type ServiceName, serviceEntries } from '../../sim/pipeline/services.ts'
import type { Calm } from './calm.ts'
import type { Cast, Part } from './cast.ts'
import { type FaultOutcome, outcomeOf } from './fault-count.ts'
import type { ServiceFault, Whose } from './service-faults.ts'
import type { Line, Supervised } from './supervised.ts'
import type { Trace } from './trace.ts'

/** Who is told what befalls the processes of a crew, and knows which of them own partitions. */
export interface Witness {
  owns(name: string): boolean
  started(name: string): void
  /** By us, at one moment. */
  killed(names: readonly string[]): void
  /** Asked by us to stop. */
  stopped(name: string): void
  /** However it ended. */
  ended(name: string): void
  /** For as long as the wait takes. */
  frozen(name: string, wait: Promise<unknown>): Promise<void>
  /** Anything else that their group waits for. */
  during<T>(what: string, work: Promise<T>): Promise<T>
}

export type CrewOptions = {
  readonly service: ServiceName
  /** How many there are when nothing befalls them, and at most. */
  readonly usual: number
  readonly most: number
  readonly cast: Cast
  readonly calm: Calm
  readonly trace: Trace
  readonly env: (name: string) => Readonly<Record<string, string>>
  /** The group that a stranger joins for a rebalance, by a way to the broker that no fault is on. */
  readonly joins?: { readonly kafka: KafkaPort; readonly group: string; readonly topic: string }
  readonly onLine?: (name: string, line: Line) => void
  readonly witness?: Witness
  readonly mends?: Part['mends']
}

const bounds = { stopMs: 25_000, joinTries: 3, joinAgainMs: 2000 } as const

/** The processes of one service, each of which may be hit at any moment; there may be more or fewer for a while. */
export class Crew {
  readonly #options: CrewOptions
  readonly #running: Supervised[]
  #scaleIn: Promise<unknown> | null = null
  #extras = 0

  constructor(options: CrewOptions) {
    this.#options = options
    const { service, usual } = options
    this.#running = Array.from({ length: usual }, (_, i) => this.#process(`${service}-${i + 1}`))
  }

  start(): void {
    for (const process of this.#running) process.start()
  }

  /** Does it, and resolves when it is over; what finds nobody to hit, or another of its kind at work, is skipped. */
  async apply(fault: ServiceFault<string>): Promise<FaultOutcome> {
    switch (fault.kind) {
      case 'kill':
        return outcomeOf(this.#kill(this.#hit(fault.nth, fault.whose)))
      case 'stop':
        return outcomeOf(this.#stop(this.#hit(fault.nth)))
      case 'freeze':
        return outcomeOf(await this.#freeze(this.#hit(fault.nth), fault.forMs))
      case 'scale-out':
        return this.#scaleOut(fault)
      case 'scale-in':
        return this.#scaleInTo(fault)
      case 'rebalance':
        return this.#rebalance(fault.forMs)
    }
  }

  /** Ends all of them for good: in good order, so that their exit codes count, or at once. */
  async end(how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { cast } = this.#options
    const retire = { with: how, withinMs: bounds.stopMs }
    await Promise.all(this.#running.splice(0).map(process => cast.retire(process, retire)))
  }

  #hit(nth: number, whose: Whose = 'any'): Supervised | undefined {
    const alive = this.#running.filter(({ pid }) => pid !== null)
    const owners = whose === 'owner' ? alive.filter(({ name }) => this.#options.witness?.owns(name)) : []
    const among = owners.length > 0 ? owners : alive
    return among[nth % Math.max(1, among.length)]
  }

  #kill(process: Supervised | undefined): boolean {
    if (!process?.kill()) return false
    this.#options.witness?.killed([process.name])
    return true
  }

  #stop(process: Supervised | undefined): boolean {
    if (!process?.terminate()) return false
    this.#options.witness?.stopped(process.name)
    return true
  }

  async #freeze(process: Supervised | undefined, forMs: number): Promise<boolean> {
    const release = process?.hold()
    if (!process || !release) return false
    const wait = this.#options.calm.pause(forMs)
    await (this.#options.witness?.frozen(process.name, wait) ?? wait)
    release()
    return true
  }

  async #scaleOut({ by, forMs, end }: Extract<ServiceFault<string>, { kind: 'scale-out' }>): Promise<FaultOutcome> {
    const { service, most, calm, cast, witness } = this.#options
    if (this.#running.length + by > most) return 'skipped'
    const extras = Array.from({ length: by }, () => this.#process(`${service}-extra-${++this.#extras}`))
    for (const extra of extras) {
      this.#running.push(extra)
      extra.start()
    }
    await calm.pause(forMs)
    // All of them may have been ended meanwhile.
    const left = extras.filter(extra => this.#running.includes(extra))
    for (const extra of left) this.#running.splice(this.#running.indexOf(extra), 1)
    const alive = left.filter(({ pid }) => pid !== null).map(({ name }) => name)
    if (end === 'SIGKILL') witness?.killed(alive)
    else for (const name of alive) witness?.stopped(name)
    await Promise.all(left.map(extra => cast.retire(extra, { with: end, withinMs: bounds.stopMs })))
    return 'applied'
  }

  async #scaleInTo({ stays, forMs }: Extract<ServiceFault<string>, { kind: 'scale-in' }>): Promise<FaultOutcome> {
    const one = this.#hit(stays)
    if (!one || this.#scaleIn) return 'skipped'
    // Whoever ends now comes up again only when it is over; so does the one that stays, should a fault hit it.
    const wait = this.#options.calm.pause(forMs)
    this.#scaleIn = wait
    for (const process of this.#running) if (process !== one) this.#stop(process)
    await (this.#options.witness?.during(`scaled in to ${one.name}`, wait) ?? wait)
    this.#scaleIn = null
    return 'applied'
  }

  async #rebalance(forMs: number): Promise<FaultOutcome> {
    const { calm, joins, witness } = this.#options
    if (!joins) return 'skipped'
    for (let tries = 1; tries <= bounds.joinTries; tries++)
      try {
        const nobody = { onAssignment: () => {}, onFailure: () => {} }
        const membership = await joins.kafka.join({ group: joins.group, topic: joins.topic, ...nobody })
        const stay = calm.pause(forMs).then(() => membership.leave())
        await (witness?.during('a stranger in the group', stay) ?? stay)
        return 'applied'
      } catch (error) {
        // The broker was down or the group did not settle: it was hit by something else.
        if (!(error instanceof KafkaFailure)) throw error
        await calm.pause(bounds.joinAgainMs)
      }
    return 'skipped'
  }

  #process(name: string): Supervised {
    const { service, cast, trace, env, onLine, witness, mends } = this.#options
    return cast.add({
      ...{ name, entry: serviceEntries[service], env: () => env(name) },
      onLine: line => {
        trace.log(name, line)
        onLine?.(name, line)
      },
      onStart: () => witness?.started(name),
      onExit: () => witness?.ended(name),
      gate: async () => void (await this.#scaleIn),
      ...(mends && { mends }),
    })
  }
}
