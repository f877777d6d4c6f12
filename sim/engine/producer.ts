import type { ReferenceData } from '../../core/events.ts'
import { nextChain, zeroChain } from '../../schemas/chain.ts'
import { encodeEngineOutput } from '../../schemas/codec.ts'
import { fromBigintJson, toBigintJson } from './bigint-json.ts'
import type { EngineCommand } from './command.ts'
import type { EngineView, Flow } from './flow/flow.ts'
import type { MatchingEngine } from './matching-engine.ts'
import { restoreSnapshot, takeSnapshot } from './snapshot.ts'

/** One output on its way to the journal. */
export type Produced = {
  /** Numbers the outputs of all sessions: 1, 2, 3 … */
  readonly index: bigint
  readonly payload: Buffer
  /** The chain after it. */
  readonly chain: Buffer
  /** The command behind it and where the flow stood after it: what a restart needs. */
  readonly step: string
}

type Step = { readonly command: EngineCommand; readonly cursor: unknown }
type Snapshot = { readonly index: bigint; readonly chain: string; readonly cursor: unknown; readonly engine: string }

/** A journal that does not fit what the engine computes from it. */
export class JournalMismatch extends Error {
  override readonly name = 'JournalMismatch'
}

/** Turns a flow into outputs, one after the other. Pure: what it has done depends on flow and journal alone. */
export class Producer {
  readonly engine: MatchingEngine
  readonly #flow: Flow
  readonly #reference: ReferenceData
  readonly #startUs: bigint
  readonly #view: EngineView
  #index = 0n
  #chain = zeroChain
  #refused = 0

  constructor({ engine, flow, reference, startUs }: ProducerParts) {
    this.engine = engine
    this.#flow = flow
    this.#reference = reference
    this.#startUs = startUs
    this.#view = viewOf(engine)
  }

  /** The last output made, over all sessions. */
  get index(): bigint {
    return this.#index
  }
  get chain(): Buffer {
    return this.#chain
  }
  /** Commands that the engine refused without an output. */
  get refused(): number {
    return this.#refused
  }

  /** What the reference data lacks or alters of what was published before: it may only grow. */
  referenceProblems(): readonly string[] {
    const before = this.engine.ledger.reference
    if (!before) return []
    const now = new Set([...this.#reference.assets, ...this.#reference.symbols].map(toBigintJson))
    return [...before.assets, ...before.symbols]
      .filter(known => !now.has(toBigintJson(known)))
      .map(known => `${known.name} was published before with other properties, or is missing now`)
  }

  /** The next output; null when the flow is over. */
  next(): Produced | null {
    for (;;) {
      const command = this.#nextCommand()
      if (!command) return null
      const produced = this.#execute(command)
      if (produced) return produced
      this.#refused++
    }
  }

  snapshot(): string {
    const { engine } = this
    const snapshot: Snapshot = {
      index: this.#index,
      chain: this.#chain.toString('hex'),
      cursor: this.#flow.cursor(),
      engine: takeSnapshot(engine),
    }
    return toBigintJson(snapshot)
  }

  restore(text: string): void {
    const { index, chain, cursor, engine } = fromBigintJson(text) as Snapshot
    restoreSnapshot(this.engine, engine)
    this.#index = index
    this.#chain = Buffer.from(chain, 'hex')
    this.#flow.resume(cursor)
  }

  /**
   * Does again what the journal says was done, and compares.
   * @throws JournalMismatch when this engine would have published something else.
   */
  redo({ index, payload, step }: Pick<Produced, 'index' | 'payload' | 'step'>): void {
    const { command, cursor } = fromBigintJson(step) as Step
    this.#flow.resume(cursor)
    const again = this.#execute(command)
    if (!again || again.index !== index || !again.payload.equals(payload))
      throw new JournalMismatch(
        `output ${index} of the journal is not what this engine makes of its command: the journal was written by ` +
          'another version of the engine or with other fees. Use an empty data folder, or the version that wrote it',
      )
  }

  #nextCommand(): EngineCommand | null {
    const { ledger, orders } = this.engine
    if (ledger.reference === null) return { kind: 'Reference', timeUs: this.#startUs, reference: this.#reference }
    if (!sameReference(ledger.reference, this.#reference))
      return { kind: 'Reference', timeUs: ledger.timeUs, reference: this.#reference }
    const timeUs = this.#flow.nextTimeUs()
    if (timeUs === null) return null
    const soonest = orders.soonestExpiry()
    if (soonest && soonest.expiresAtUs <= timeUs)
      return { kind: 'Expire', timeUs: soonest.expiresAtUs, order: soonest.order }
    return this.#flow.next(this.#view)
  }

  #execute(command: EngineCommand): Produced | null {
    const executed = this.engine.execute(command)
    if (executed.kind === 'refused') return null
    const payload = encodeEngineOutput(executed.output)
    this.#chain = nextChain(this.#chain, payload)
    this.#index++
    const step: Step = { command, cursor: this.#flow.cursor() }
    return { index: this.#index, payload, chain: this.#chain, step: toBigintJson(step) }
  }
}

export type ProducerParts = {
  readonly engine: MatchingEngine
  readonly flow: Flow
  readonly reference: ReferenceData
  /** The engine's clock at its very first output. */
  readonly startUs: bigint
}

const viewOf = ({ accounts, orders }: MatchingEngine): EngineView => ({
  account: (user, asset) => accounts.of(user, asset),
  order: order => orders.get(order),
  orderOfClient: client => orders.byClient(client),
  ordersOf: user => orders.ofUser(user),
  best: (symbol, side) => orders.book(symbol).best(side),
})

const sameReference = (a: ReferenceData, b: ReferenceData): boolean => a === b || toBigintJson(a) === toBigintJson(b)
