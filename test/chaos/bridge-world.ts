import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { StreamNames } from '../../runtime/names.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { engineEntry, serviceEntries } from '../../sim/pipeline/services.ts'
import { AckAudit } from './ack-audit.ts'
import { Acks } from './acks.ts'
import type { BridgeFault, BridgeTarget, LegName } from './bridge-faults.ts'
import type { Broker } from './broker.ts'
import { judgeExit } from './exits.ts'
import type { Leg } from './leg.ts'
import { residentMb, type Sample } from './memory.ts'
import { type Exit, type Line, Supervised } from './supervised.ts'
import type { Trace } from './trace.ts'

export type BridgeWorldOptions = {
  readonly names: StreamNames
  /** Logs and the engine's journal. */
  readonly dir: string
  readonly trace: Trace
  readonly broker: Broker
  readonly legs: Readonly<Record<LegName, Leg>>
  /** What an engine is told, but for what faults change. */
  readonly engineEnv: Readonly<Record<string, string>>
  readonly bridgeEnv: Readonly<Record<string, string>>
  /** A way to the broker that no fault is on. */
  readonly openKafka: () => KafkaPort
}

export type WorldCounts = {
  readonly terms: number
  readonly sessions: number
  /** ACKs at which everything was frozen and the log was asked. */
  readonly audits: number
  /** That the engine told of. */
  readonly outputs: number
  readonly bridgeStarts: number
  readonly engineStarts: number
}

export type FaultOutcome = 'applied' | 'skipped'

const bounds = {
  /** How long a leg's fault waits for its bytes. */
  legWaitMs: 20_000,
  stopMs: 25_000,
} as const

/** Two bridges, sometimes three, an engine and a broker, each of which may be hit at any moment. */
export class BridgeWorld {
  readonly acks = new Acks()
  readonly exits = new Map<string, number>()
  readonly samples: { readonly bridge: Sample[]; readonly engine: Sample[] } = { bridge: [], engine: [] }
  readonly #options: BridgeWorldOptions
  readonly #engine: Supervised
  readonly #bridges: Supervised[]
  readonly #audit: AckAudit
  readonly #calm = new AbortController()
  #leader = ''
  #lossPercent = 0
  #isFlowOver = false
  #extras = 0
  #counts = { terms: 0, sessions: 0, outputs: 0, bridgeStarts: 0, engineStarts: 0 }
  #flowDone = Promise.withResolvers<number>()

  constructor(options: BridgeWorldOptions) {
    this.#options = options
    this.#audit = new AckAudit({
      ...options,
      topic: options.names.topics.log,
      acks: this.acks,
      bridges: () => this.#bridges,
      pause: ms => this.#pause(ms),
    })
    this.#engine = this.#supervised(
      'engine',
      engineEntry,
      () => this.#engineEnv(),
      line => this.#readEngine(line),
    )
    this.#bridges = ['bridge-1', 'bridge-2'].map(name => this.#bridge(name))
  }

  get counts(): WorldCounts {
    return { ...this.#counts, audits: this.#audit.made }
  }

  start(): void {
    for (const process of [this.#engine, ...this.#bridges]) process.start()
  }

  /** Does it, and resolves when it is over; what finds nobody to hit, or another of its kind at work, is skipped. */
  async apply(fault: BridgeFault): Promise<FaultOutcome> {
    this.#options.trace.note(`fault ${describe(fault)}`)
    const outcome = await this.#apply(fault)
    this.#options.trace.note(`${outcome === 'applied' ? 'over ' : 'skipped'} ${describe(fault)}`)
    return outcome
  }

  /** No more faults: whoever is frozen goes on. */
  calm(): void {
    this.#calm.abort()
  }

  /** The engine goes on without a flow, in one more session; resolves with how many outputs there are. */
  async endFlow(): Promise<number> {
    this.#isFlowOver = true
    this.#lossPercent = 0
    this.#flowDone = Promise.withResolvers<number>()
    // While it is being started again there is nobody to tell; it is told as it comes up.
    this.#engine.terminate()
    return this.#flowDone.promise
  }

  /** Ends all processes: in good order, so that their exit codes count, or at once. */
  async end(how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.calm()
    await this.#audit.over()
    const retire = { with: how, withinMs: bounds.stopMs }
    await Promise.all(this.#bridges.map(bridge => bridge.retire(retire)))
    await this.#engine.retire(retire)
  }

  sampleMemory(): void {
    const atMs = this.#options.trace.nowMs
    for (const [kind, processes] of [
      ['bridge', this.#bridges],
      ['engine', [this.#engine]],
    ] as const)
      for (const { pid, name } of processes) {
        const mb = pid === null ? null : residentMb(pid)
        if (mb !== null) this.samples[kind].push({ atMs, name, mb })
      }
  }

  async #apply(fault: BridgeFault): Promise<FaultOutcome> {
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
        this.#lossPercent = fault.lossPercent
        return outcomeOf(this.#engine.kill())
      case 'engine-stop':
        this.#lossPercent = fault.lossPercent
        return outcomeOf(this.#engine.terminate())
      case 'engine-freeze':
        return this.#freeze(this.#engine, fault.forMs)
      case 'broker-kill':
        return outcomeOf(await this.#audit.make('broker killed'))
      case 'broker-freeze':
        if (this.#options.broker.state !== 'up' || this.#audit.isUnderWay) return 'skipped'
        await this.#options.broker.freezeWhile(this.#pause(fault.forMs))
        return 'applied'
      case 'ack-audit':
        return outcomeOf(await this.#audit.make('bridges frozen'))
      case 'cut':
        return (await this.#options.legs[fault.leg].apply(fault.fault, { withinMs: bounds.legWaitMs }))
          ? 'applied'
          : 'skipped'
    }
  }

  async #freeze(process: Supervised | undefined, forMs: number): Promise<FaultOutcome> {
    const release = process?.hold()
    if (!release) return 'skipped'
    await this.#pause(forMs)
    release()
    return 'applied'
  }

  async #extra({ forMs, end }: Extract<BridgeFault, { kind: 'bridge-extra' }>): Promise<FaultOutcome> {
    const bridge = this.#bridge(`bridge-extra-${++this.#extras}`)
    this.#bridges.push(bridge)
    bridge.start()
    await this.#pause(forMs)
    await this.#audit.over()
    await bridge.retire({ with: end, withinMs: bounds.stopMs })
    this.#bridges.splice(this.#bridges.indexOf(bridge), 1)
    return 'applied'
  }

  #target(target: BridgeTarget): Supervised | undefined {
    return this.#bridges.find(({ name, pid }) => pid !== null && (name === this.#leader) === (target === 'leader'))
  }

  /** Until so much later, or the calm. */
  async #pause(ms: number): Promise<null> {
    await delay(ms, null, { signal: this.#calm.signal }).catch(() => null)
    return null
  }

  #bridge(name: string): Supervised {
    const { bridgeEnv } = this.#options
    return this.#supervised(
      name,
      serviceEntries.bridge,
      () => bridgeEnv,
      line => this.#readBridge(name, line),
    )
  }

  #engineEnv(): Readonly<Record<string, string>> {
    return {
      ...this.#options.engineEnv,
      ENGINE_LIVE_LOSS: `${this.#lossPercent}`,
      ...(this.#isFlowOver && { ENGINE_ORDERS: '0' }),
    }
  }

  #supervised(
    name: string,
    entry: string,
    env: () => Readonly<Record<string, string>>,
    onLine: (line: Line) => void,
  ): Supervised {
    const { dir, trace } = this.#options
    const isEngine = name === 'engine'
    return new Supervised({
      ...{ name, entry, env, onLine },
      logFile: join(dir, `${name}.log`),
      onStart: pid => {
        this.#counts[isEngine ? 'engineStarts' : 'bridgeStarts']++
        trace.note(`${name} started, pid ${pid}`)
      },
      onExit: exit => this.#onExit(exit),
      gate: () => (isEngine ? Promise.resolve() : this.#audit.over()),
    })
  }

  #onExit(exit: Exit): void {
    const verdict = judgeExit(exit)
    const key = `${exit.name.replace(/-.*/, '')}: ${verdict.how}`
    this.exits.set(key, (this.exits.get(key) ?? 0) + 1)
    this.#options.trace.note(`${exit.name} ended ${verdict.how} after ${(exit.livedMs / 1000).toFixed(1)} s`)
    if (verdict.kind === 'violation') this.#options.trace.violate(verdict.message, { shown: 'with the lines before' })
  }

  #readEngine(line: Line): void {
    this.acks.read(line)
    const { kind, outputs } = line
    if (kind === 'ready') {
      this.#counts.sessions++
      this.#options.trace.note(`engine serves, ${JSON.stringify(line['session'])}, losing ${this.#lossPercent} %`)
    }
    if (typeof outputs === 'number') this.#counts.outputs = Math.max(outputs, this.#counts.outputs)
    if (kind === 'done' && this.#isFlowOver) this.#flowDone.resolve(Number(outputs))
  }

  #readBridge(name: string, line: Line): void {
    const { msg, level } = line
    if (msg === 'leading from the tail of the log') {
      this.#leader = name
      this.#counts.terms++
    }
    if (typeof msg === 'string' && level !== 'debug') this.#options.trace.note(`${name} ${String(level)}: ${msg}`)
  }
}

const outcomeOf = (hit: boolean | undefined): FaultOutcome => (hit ? 'applied' : 'skipped')

const describe = (fault: BridgeFault): string =>
  JSON.stringify(fault).replaceAll(/["{}]/g, '').replace('kind:', '').replaceAll(',', ' ')
