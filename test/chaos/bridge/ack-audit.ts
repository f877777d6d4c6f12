import { setTimeout as delay } from 'node:timers/promises'
import type { EnginePosition } from '../../../core/events.ts'
import { KafkaFailure, type KafkaPort } from '../../../runtime/kafka/port.ts'
import type { Ack, Acks } from './acks.ts'
import { named } from '../check-log.ts'
import { readLast } from '../read-log.ts'
import type { StackServer } from '../stack-server.ts'
import type { Supervised } from '../supervised.ts'
import type { Trace } from '../trace.ts'

export type AckAuditOptions = {
  readonly topic: string
  readonly acks: Acks
  readonly broker: StackServer
  readonly trace: Trace
  /** A way to the broker that no fault is on. */
  readonly openKafka: () => KafkaPort
  /** All that run now. */
  readonly bridges: () => readonly Supervised[]
  /** Waits so long, or until the calm. */
  readonly pause: (ms: number) => Promise<null>
}

const bounds = {
  /** How long an audit waits for an ACK to happen upon. */
  ackWaitMs: 8000,
  /** Acknowledged, and not to be read within this long of a broker that answers: not durable when it was given. */
  visibleMs: 5000,
  /** For a broker that is being started again on a busy machine. */
  answerMs: 90_000,
} as const

/**
 * Looks whether an ACK was true when it was given: at that moment everything that could still make it true is frozen,
 * and what was acknowledged must be there to be read. With the broker killed, even what was on its way to it is gone.
 */
export class AckAudit {
  readonly #options: AckAuditOptions
  #underWay: Promise<void> | null = null
  #made = 0

  constructor(options: AckAuditOptions) {
    this.#options = options
  }

  get made(): number {
    return this.#made
  }

  get isUnderWay(): boolean {
    return this.#underWay !== null
  }

  /** Resolves when no audit is under way: nothing may be started or ended that is frozen for one. */
  async over(): Promise<void> {
    // Another may have begun by the time that one is over.
    while (this.#underWay) await this.#underWay
  }

  /** False when no ACK came, or the broker was not to be asked. */
  async make(how: 'bridges frozen' | 'broker killed'): Promise<boolean> {
    const { acks, broker, trace, pause } = this.#options
    const frozen = Promise.withResolvers<{ readonly ack: Ack; readonly release: () => void }>()
    let stopWaiting = (): void => {}
    const wait = (): void => {
      stopWaiting = acks.atNext(ack => {
        const isFree = !this.#underWay && broker.state === 'up'
        if (isFree) frozen.resolve({ ack, release: this.#freeze() })
        else wait()
      })
    }
    wait()
    const found = await Promise.race([frozen.promise, pause(bounds.ackWaitMs)])
    stopWaiting()
    if (!found) return false
    trace.note(`frozen at the ACK of ${named(found.ack)}`)
    try {
      if (how === 'broker killed') await broker.killAndStart()
      trace.note('the log is asked')
      await this.#mustBeReadable(found.ack, how)
      this.#made++
    } finally {
      found.release()
      trace.note(`released after the ACK of ${named(found.ack)}, ${how}`)
    }
    return true
  }

  /** In one turn: the bridges that run; those that would be started meanwhile wait for `over`. */
  #freeze(): () => void {
    const over = Promise.withResolvers<void>()
    this.#underWay = over.promise
    const releases = this.#options.bridges().map(bridge => bridge.hold())
    return () => {
      for (const release of releases) release?.()
      this.#underWay = null
      over.resolve()
    }
  }

  async #mustBeReadable(ack: Ack, how: string): Promise<void> {
    const { topic, openKafka, trace } = this.#options
    const kafka = openKafka()
    const endMs = performance.now() + bounds.answerMs
    let lackingSinceMs: number | null = null
    let problem = 'the broker did not answer'
    try {
      while (performance.now() < endMs) {
        try {
          const last = await readLast(kafka, topic)
          if (last && isAtLeast(last.at, ack)) return
          problem = `the log ends with ${named(last?.at ?? null)}`
          lackingSinceMs ??= performance.now()
          if (performance.now() - lackingSinceMs > bounds.visibleMs) break
        } catch (error) {
          if (!(error instanceof KafkaFailure)) throw error
          problem = error.message
        }
        await delay(20)
      }
    } finally {
      await kafka.close()
    }
    trace.violate(`not durable when it was acknowledged (${how}): ${named(ack)}; ${problem}`, {
      shown: 'with the lines before',
    })
  }
}

const isAtLeast = (at: EnginePosition, ack: Ack): boolean =>
  at.epoch > ack.epoch || (at.epoch === ack.epoch && at.seq >= ack.seq)
