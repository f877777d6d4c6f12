import { KafkaFailure, type KafkaPort } from '../../runtime/kafka/port.ts'
import { type ServiceName, serviceEntries } from '../../sim/pipeline/services.ts'
import type { Calm } from './calm.ts'
import type { Cast, Part } from './cast.ts'
import { type FaultOutcome, outcomeOf } from './fault-count.ts'
import type { ServiceFault } from './service-faults.ts'
import type { Line, Supervised } from './supervised.ts'
import type { Trace } from './trace.ts'

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
  /** By us, `atMs` of the trace. */
  readonly onKill?: (name: string, atMs: number) => void
  readonly onStart?: (name: string) => void
  readonly onEnd?: (name: string) => void
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
    const { calm } = this.#options
    switch (fault.kind) {
      case 'kill':
        return outcomeOf(this.#kill(this.#hit(fault.nth)))
      case 'stop':
        return outcomeOf(this.#hit(fault.nth)?.terminate())
      case 'freeze':
        return outcomeOf(await this.#hit(fault.nth)?.holdWhile(calm.pause(fault.forMs)))
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

  #hit(nth: number): Supervised | undefined {
    const alive = this.#running.filter(({ pid }) => pid !== null)
    return alive[nth % Math.max(1, alive.length)]
  }

  #kill(process: Supervised | undefined): boolean {
    const atMs = this.#options.trace.nowMs
    if (!process?.kill()) return false
    this.#options.onKill?.(process.name, atMs)
    return true
  }

  async #scaleOut({ by, forMs, end }: Extract<ServiceFault<string>, { kind: 'scale-out' }>): Promise<FaultOutcome> {
    const { service, most, calm, cast, trace, onKill } = this.#options
    if (this.#running.length + by > most) return 'skipped'
    const extras = Array.from({ length: by }, () => this.#process(`${service}-extra-${++this.#extras}`))
    for (const extra of extras) {
      this.#running.push(extra)
      extra.start()
    }
    await calm.pause(forMs)
    const retire = async (extra: Supervised): Promise<void> => {
      const index = this.#running.indexOf(extra)
      // All of them were ended meanwhile.
      if (index === -1) return
      this.#running.splice(index, 1)
      if (end === 'SIGKILL') onKill?.(extra.name, trace.nowMs)
      await cast.retire(extra, { with: end, withinMs: bounds.stopMs })
    }
    await Promise.all(extras.map(retire))
    return 'applied'
  }

  async #scaleInTo({ stays, forMs }: Extract<ServiceFault<string>, { kind: 'scale-in' }>): Promise<FaultOutcome> {
    const one = this.#hit(stays)
    if (!one || this.#scaleIn) return 'skipped'
    // Whoever ends now comes up again only when it is over; so does the one that stays, should a fault hit it.
    const wait = this.#options.calm.pause(forMs)
    this.#scaleIn = wait
    for (const process of this.#running) if (process !== one) process.terminate()
    await wait
    this.#scaleIn = null
    return 'applied'
  }

  async #rebalance(forMs: number): Promise<FaultOutcome> {
    const { calm, joins } = this.#options
    if (!joins) return 'skipped'
    for (let tries = 1; tries <= bounds.joinTries; tries++)
      try {
        const nobody = { onAssignment: () => {}, onFailure: () => {} }
        const membership = await joins.kafka.join({ group: joins.group, topic: joins.topic, ...nobody })
        await calm.pause(forMs)
        await membership.leave()
        return 'applied'
      } catch (error) {
        // The broker was down or the group did not settle: it was hit by something else.
        if (!(error instanceof KafkaFailure)) throw error
        await calm.pause(bounds.joinAgainMs)
      }
    return 'skipped'
  }

  #process(name: string): Supervised {
    const { service, cast, trace, env, onLine, onStart, onEnd, mends } = this.#options
    return cast.add({
      ...{ name, entry: serviceEntries[service], env: () => env(name) },
      onLine: line => {
        trace.log(name, line)
        onLine?.(name, line)
      },
      onStart: () => onStart?.(name),
      onExit: () => onEnd?.(name),
      gate: async () => void (await this.#scaleIn),
      ...(mends && { mends }),
    })
  }
}
