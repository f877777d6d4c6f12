import type { KafkaPort } from '../../../runtime/kafka/port.ts'
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
import { AckAudit } from './ack-audit.ts'
import { Acks } from './acks.ts'
import type { BridgeFault, BridgeTarget, LegName } from './faults.ts'

export type BridgeWorldOptions = {
  readonly names: StreamNames
  /** Logs and the engine's journal. */
  readonly dir: string
  readonly trace: Trace
  readonly broker: StackServer
  readonly legs: Readonly<Record<LegName, Leg>>
  /** What an engine is told, but for what faults change. */
  readonly engineEnv: Readonly<Record<string, string>>
  readonly bridgeEnv: Readonly<Record<string, string>>
  /** A way to the broker that no fault is on. */
  readonly openKafka: () => KafkaPort
}

const bounds = {
  /** How long a leg's fault waits for its bytes. */
  legWaitMs: 20_000,
  stopMs: 25_000,
} as const

/** Two bridges, sometimes three, an engine and a broker, each of which may be hit at any moment. */
export class BridgeWorld {
  readonly acks = new Acks()
  readonly cast: Cast
  readonly engine: Engine
  readonly #options: BridgeWorldOptions
  readonly #bridges: Supervised[]
  readonly #audit: AckAudit
  readonly #calm = new Calm()
  #leader = ''
  #extras = 0
  #terms = 0

  constructor(options: BridgeWorldOptions) {
    this.#options = options
    this.cast = new Cast(options)
    this.#audit = new AckAudit({
      ...options,
      topic: options.names.topics.log,
      acks: this.acks,
      bridges: () => this.#bridges,
      pause: ms => this.#calm.pause(ms),
    })
    this.engine = new Engine({
      ...{ cast: this.cast, trace: options.trace, env: options.engineEnv },
      onLine: line => this.acks.read(line),
    })
    this.#bridges = ['bridge-1', 'bridge-2'].map(name => this.#bridge(name))
  }

  /** Bridges that began to lead. */
  get terms(): number {
    return this.#terms
  }

  /** ACKs at which everything was frozen and the log was asked. */
  get audits(): number {
    return this.#audit.made
  }

  start(): void {
    for (const process of [this.engine.process, ...this.#bridges]) process.start()
  }

  /** Does it, and resolves when it is over; what finds nobody to hit, or another of its kind at work, is skipped. */
  async apply(fault: BridgeFault): Promise<FaultOutcome> {
    const { broker, legs } = this.#options
    switch (fault.kind) {
      case 'bridge-kill':
        return outcomeOf(this.#target(fault.target)?.kill())
      case 'bridge-stop':
        return outcomeOf(this.#target(fault.target)?.terminate())
      case 'bridge-freeze':
        return this.#freeze(this.#target(fault.target), fault.forMs)
      case 'bridge-extra':
        return this.#extra(fault)
      case 'engine-kill':
        this.engine.lossPercent = fault.lossPercent
        return outcomeOf(this.engine.process.kill())
      case 'engine-stop':
        this.engine.lossPercent = fault.lossPercent
        return outcomeOf(this.engine.process.terminate())
      case 'engine-freeze':
        return this.#freeze(this.engine.process, fault.forMs)
      case 'broker-kill':
        return outcomeOf(await this.#audit.make('broker killed'))
      case 'broker-freeze':
        if (broker.state !== 'up' || this.#audit.isUnderWay) return 'skipped'
        await broker.freezeWhile(this.#calm.pause(fault.forMs))
        return 'applied'
      case 'ack-audit':
        return outcomeOf(await this.#audit.make('bridges frozen'))
      case 'cut':
        return outcomeOf(await legs[fault.leg].apply(fault.fault, { withinMs: bounds.legWaitMs }))
    }
  }

  /** No more faults: whoever is frozen goes on. */
  calm(): void {
    this.#calm.begin()
  }

  /** Ends all processes: in good order, so that their exit codes count, or at once. */
  async end(how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.calm()
    await this.#audit.over()
    const retire = { with: how, withinMs: bounds.stopMs }
    await Promise.all(this.#bridges.map(bridge => this.cast.retire(bridge, retire)))
    await this.cast.retire(this.engine.process, retire)
  }

  async #freeze(process: Supervised | undefined, forMs: number): Promise<FaultOutcome> {
    return outcomeOf(await process?.holdWhile(this.#calm.pause(forMs)))
  }

  async #extra({ forMs, end }: Extract<BridgeFault, { kind: 'bridge-extra' }>): Promise<FaultOutcome> {
    const bridge = this.#bridge(`bridge-extra-${++this.#extras}`)
    this.#bridges.push(bridge)
    bridge.start()
    await this.#calm.pause(forMs)
    await this.#audit.over()
    await this.cast.retire(bridge, { with: end, withinMs: bounds.stopMs })
    this.#bridges.splice(this.#bridges.indexOf(bridge), 1)
    return 'applied'
  }

  #target(target: BridgeTarget): Supervised | undefined {
    return this.#bridges.find(({ name, pid }) => pid !== null && (name === this.#leader) === (target === 'leader'))
  }

  #bridge(name: string): Supervised {
    return this.cast.add({
      ...{ name, entry: serviceEntries.bridge, env: () => this.#options.bridgeEnv },
      onLine: line => this.#readBridge(name, line),
      gate: () => this.#audit.over(),
    })
  }

  #readBridge(name: string, line: Line): void {
    if (line['msg'] === 'leading from the tail of the log') {
      this.#leader = name
      this.#terms++
    }
    this.#options.trace.log(name, line)
  }
}
