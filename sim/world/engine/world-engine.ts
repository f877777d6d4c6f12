import type { EngineOutput } from '../../../core/events.ts'
import { nextChain, zeroChain } from '../../../schemas/chain.ts'
import { decodeEngineOutput, encodeEngineOutput } from '../../../schemas/codec.ts'
import { decodeBridgeFrame, type EngineFrame, encodeEngineFrame } from '../../../schemas/frames.ts'
import { allMarkets, assetsOf, referenceOf } from '../../engine/flow/markets.ts'
import { RandomFlow } from '../../engine/flow/random-flow.ts'
import { Sessions, startOf } from '../../engine/journal/sessions.ts'
import { MatchingEngine } from '../../engine/matching-engine.ts'
import { Producer } from '../../engine/producer.ts'
import { Acks } from '../../engine/protocol/acks.ts'
import { answerTo, beforeFirst, endOf, type Kept } from '../../engine/protocol/replay-answer.ts'
import type { Dice } from '../dice.ts'
import type { Timeline } from '../timeline.ts'
import type { Trace } from '../trace.ts'
import { Truth } from './truth.ts'
import type { WorldLink } from './world-link.ts'

type Kind = 'live' | 'replay'
/** One output of the journal. */
export type Journaled = { readonly payload: Buffer; readonly chain: Buffer }

export type WorldEngineOptions = {
  readonly seed: number
  readonly users: number
  readonly stream: string
  readonly timeline: Timeline
  readonly trace: Trace
  readonly dice: Dice
  /** Behind the last ACK so many outputs are kept. */
  readonly margin: number
}

const house = 1_000_003n
const markets = allMarkets.filter(({ traded }) => traded.name === 'BTC-USDT' || traded.name === 'ETH-USDT')

/** The matching engine with a journal in memory: sessions, replays and acknowledgements are those of the real one. */
export class WorldEngine {
  readonly truth = new Truth()
  readonly assets = assetsOf(markets)
  readonly #options: WorldEngineOptions
  readonly #producer: Producer
  readonly #journal: Journaled[] = []
  readonly #links = new Set<WorldLink>()
  #sessions: Sessions
  #acks: Acks
  #acked = 0n
  /** Index of the oldest output kept. */
  #first = 1n
  #isUp = true
  /** Versions that were made and never told. */
  readonly skipped: { readonly user: bigint; readonly asset: number; readonly version: bigint }[] = []
  /** What was lost for ever, by index. */
  readonly lost = new Set<bigint>()

  constructor(options: WorldEngineOptions) {
    this.#options = options
    const { seed, users, timeline, dice } = options
    const startUs = timeline.nowUs()
    const flow = new RandomFlow({
      seed: BigInt(seed),
      users,
      orders: 1_000_000,
      markets,
      house,
      startUs,
      meanStepUs: 1000,
    })
    const engine = new MatchingEngine({ fees: { makerBp: 10n, takerBp: 25n } })
    this.#producer = new Producer({ engine, flow, reference: referenceOf(markets, house), startUs })
    this.#sessions = new Sessions([
      { epoch: 1n, random: dice.u64(), first: 1n, chainBefore: zeroChain.toString('hex') },
    ])
    this.#acks = new Acks({ stream: options.stream, sessions: this.#sessions })
  }

  get engine(): MatchingEngine {
    return this.#producer.engine
  }

  /** Index of the last output. */
  get sent(): bigint {
    return BigInt(this.#journal.length)
  }

  /** Index of the last output that the bridge has said is durable. */
  get acked(): bigint {
    return this.#acked
  }

  get journal(): readonly Journaled[] {
    return this.#journal
  }

  get sessions(): Sessions {
    return this.#sessions
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Makes the next output of the flow, keeps and publishes it. */
  trade(): void {
    const produced = this.#producer.next()
    if (produced) this.#emit(decodeEngineOutput(produced.payload), produced.payload)
  }

  /** A deposit outside of the flow. `told`: false for one that the engine books and never says. */
  deposit(user: bigint, asset: number, amount: bigint, told: 'told' | 'skipped'): void {
    const { timeUs } = this.engine.ledger
    const executed = this.engine.execute({ kind: 'Deposit', timeUs, user, asset, amount })
    if (executed.kind === 'refused') throw new Error(`the engine refuses a deposit: ${executed.reason}`)
    if (told === 'told') this.#emit(executed.output, encodeEngineOutput(executed.output))
    else {
      this.truth.take(executed.output)
      this.skipped.push({ user, asset, version: this.truth.newest(user, asset) })
    }
  }

  #emit(output: EngineOutput, payload: Buffer): void {
    this.truth.take(output)
    const chain = nextChain(this.#chain, payload)
    this.#journal.push({ payload, chain })
    this.#publish({ kind: 'OUT', at: this.#sessions.position(this.sent, chain), payload })
  }

  get #chain(): Buffer {
    return this.#journal.at(-1)?.chain ?? zeroChain
  }

  get #kept(): Kept {
    const chainBeforeFirst = this.#journal[Number(this.#first) - 2]?.chain ?? zeroChain
    const [first, sent] = [this.#first, this.sent]
    return { sessions: this.#sessions, first, chainBeforeFirst, sent, sentChain: this.#chain }
  }

  beat(): void {
    if (!this.#isUp) return
    const { current } = this.#sessions
    const at = this.sent < current.first ? startOf(current) : this.#sessions.position(this.sent, this.#chain)
    this.#publish({ kind: 'HBT', at, clockUs: this.#options.timeline.nowUs() })
  }

  /** Goes down; with a last word, when it ends as it should. */
  stop(how: 'orderly' | 'killed'): void {
    const { current } = this.#sessions
    if (how === 'orderly' && this.sent >= current.first)
      this.#publish({ kind: 'EOS', at: this.#sessions.position(this.sent, this.#chain) })
    this.#isUp = false
  }

  /** A new session, which goes on from the last chain. */
  start(): void {
    const before = this.#sessions.all
    const row = {
      epoch: this.#sessions.current.epoch + 1n,
      random: this.#options.dice.u64(),
      first: this.sent + 1n,
      chainBefore: this.#chain.toString('hex'),
    }
    this.#sessions = new Sessions([...before, row])
    this.#acks = new Acks({ stream: this.#options.stream, sessions: this.#sessions })
    this.#isUp = true
  }

  /** Its disk loses everything but the newest outputs, acknowledged or not. Returns how many of the lost were not. */
  loseJournal(keep: number): bigint {
    const first = this.sent - BigInt(keep) + 1n
    if (first <= this.#first) return 0n
    const acked = this.#acked
    for (let index = acked + 1n; index < first; index++) this.lost.add(index)
    this.#first = first
    return first - 1n > acked ? first - 1n - acked : 0n
  }

  #heardAck(acked: bigint): void {
    if (acked > this.#acked) this.#acked = acked
    const first = acked - BigInt(this.#options.margin) + 1n
    if (first > this.#first) this.#first = first
  }

  open(link: WorldLink): void {
    this.#links.add(link)
  }

  closed(link: WorldLink): void {
    this.#links.delete(link)
  }

  #publish(frame: EngineFrame): void {
    for (const link of this.#links) link.deliver('live', encodeEngineFrame(frame))
  }

  /** A message of the bridge has arrived. */
  hear(link: WorldLink, frames: readonly Buffer[]): void {
    if (!this.#isUp) return
    const frame = decodeBridgeFrame(frames)
    if (frame.kind === 'ACK') {
      const outcome = this.#acks.take(frame, this.sent)
      if (outcome.kind === 'acked') this.#heardAck(outcome.index)
      this.#options.trace.mix(`ack ${frame.session.epoch} ${frame.seq} ${outcome.kind}`)
      return
    }
    const kept = this.#kept
    const answer = answerTo(frame, kept)
    const say = (said: EngineFrame, kind: Kind = 'replay'): void => link.deliver(kind, encodeEngineFrame(said))
    if (answer.kind === 'trimmed') return say({ kind: 'TRIMMED', at: answer.at })
    for (let index = answer.from; index <= answer.to; index++) {
      const { chain, payload } = this.#journal[Number(index) - 1] as Journaled
      say({ kind: 'OUT', at: this.#sessions.position(index, chain), payload })
    }
    say(answer.from < kept.first ? { kind: 'TRIMMED', at: beforeFirst(kept) } : endOf(answer.session, kept))
  }
}
