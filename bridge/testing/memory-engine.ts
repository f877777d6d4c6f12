import { assetId, userId } from '../../core/ids.ts'
import { nextChain, zeroChain } from '../../schemas/chain.ts'
import { encodeEngineOutput } from '../../schemas/codec.ts'
import { decodeBridgeFrame, type EngineFrame, encodeEngineFrame } from '../../schemas/frames.ts'
import type { EngineLink } from '../engine-link.ts'

export type OutFrame = Extract<EngineFrame, { kind: 'OUT' }>

/** Reference data, then deposits of many users, as an engine would number and chain them. */
const outputs = (count: number): readonly OutFrame[] => {
  let chain = zeroChain
  const versions = new Map<bigint, bigint>()
  return Array.from({ length: count }, (_, i) => {
    const user = userId(BigInt(i % 37))
    const version = (versions.get(user) ?? 0n) + 1n
    versions.set(user, version)
    const change = {
      user,
      asset: assetId(1),
      deltaAvailable: 5n,
      deltaFrozen: 0n,
      available: 5n * version,
      frozen: 0n,
      version,
      reason: 'Deposit',
      ref: BigInt(i),
    }
    const reference =
      i === 0 ? { assets: [{ asset: assetId(1), name: 'BTC', decimals: 8 }], symbols: [], house: userId(99n) } : null
    const output = { time: BigInt(i), reference, orders: [], trades: [], changes: i === 0 ? [] : [change] }
    const payload = encodeEngineOutput(output as unknown as Parameters<typeof encodeEngineOutput>[0])
    chain = nextChain(chain, payload)
    return { kind: 'OUT', at: { epoch: 1n, random: 7n, seq: BigInt(i + 1), chain }, payload }
  })
}

export type MemoryEngineOptions = {
  /** Whether the live frame of that number is lost. */
  readonly loses?: (published: number) => boolean
  readonly clockUs?: () => bigint
  readonly replays?: boolean
  /** How many of its oldest outputs it no longer keeps. */
  readonly trimmed?: number
}

/** An engine in memory: lossy live frames as they are published, replay from its journal. */
export class MemoryEngine {
  readonly journal: readonly OutFrame[]
  readonly replays: boolean
  readonly trimmed: number
  published = 0
  /** While true nobody hears its heartbeats. */
  isMute = false
  readonly acked: bigint[] = []
  /** Called with each acknowledgement, when it arrives. */
  onAck: (seq: bigint) => void = () => {}
  readonly #loses: (published: number) => boolean
  readonly #clockUs: () => bigint
  readonly #links = new Set<MemoryLink>()

  constructor(
    count: number,
    {
      loses = published => published % 7 === 3,
      clockUs = () => BigInt(Date.now()) * 1000n,
      replays = true,
      trimmed = 0,
    }: MemoryEngineOptions = {},
  ) {
    this.journal = outputs(count)
    this.#loses = loses
    this.#clockUs = clockUs
    this.replays = replays
    this.trimmed = trimmed
  }

  readonly open = (): Promise<EngineLink> => {
    const link = new MemoryLink(this, () => this.#links.delete(link))
    this.#links.add(link)
    return Promise.resolve(link)
  }

  /** Sends the next outputs, and a heartbeat. */
  publish(count: number): void {
    for (let i = 0; i < count && this.published < this.journal.length; i++) {
      const frame = this.journal[this.published++] as OutFrame
      if (!this.#loses(this.published)) this.send(frame)
    }
    this.beat()
  }

  /** A heartbeat, with the engine's clock. */
  beat(): void {
    const at = this.journal[this.published - 1]?.at
    if (at && !this.isMute) this.send({ kind: 'HBT', at, clockUs: this.#clockUs() })
  }

  /** Sends any frame to everybody who listens, or as an answer. */
  send(frame: EngineFrame, socket: 'live' | 'replay' = 'live'): void {
    this.say(socket, encodeEngineFrame(frame))
  }

  /** Sends any message at all, as `send` does. */
  say(socket: 'live' | 'replay', message: readonly Buffer[]): void {
    for (const link of this.#links) link.deliver(socket, message)
  }
}

class MemoryLink implements EngineLink {
  readonly replays: boolean
  readonly #engine: MemoryEngine
  readonly #queues = { live: [] as (readonly Buffer[])[], replay: [] as (readonly Buffer[])[] }
  readonly #waiting = new Map<'live' | 'replay', (frames: readonly Buffer[] | undefined) => void>()
  readonly #onClose: () => void
  #closed = false

  constructor(engine: MemoryEngine, onClose: () => void) {
    this.#engine = engine
    this.replays = engine.replays
    this.#onClose = onClose
  }

  deliver(source: 'live' | 'replay', message: readonly Buffer[]): void {
    const wake = this.#waiting.get(source)
    this.#waiting.delete(source)
    if (wake) wake(message)
    else this.#queues[source].push(message)
  }

  receive(source: 'live' | 'replay'): Promise<readonly Buffer[] | undefined> {
    const message = this.#queues[source].shift()
    if (this.#closed || message) return Promise.resolve(message)
    return new Promise(resolve => this.#waiting.set(source, resolve))
  }

  send(frames: readonly Buffer[]): Promise<void> {
    if (!this.replays) return Promise.resolve()
    const frame = decodeBridgeFrame(frames)
    if (frame.kind === 'ACK') {
      this.#engine.onAck(frame.seq)
      this.#engine.acked.push(frame.seq)
    } else {
      this.#replay(frame.from, frame.to)
      // One comes every second anyway.
      this.#engine.beat()
    }
    return Promise.resolve()
  }

  #replay(from: bigint, to: bigint): void {
    const { journal, trimmed } = this.#engine
    if (from <= BigInt(trimmed)) {
      const at = journal[trimmed - 1]?.at
      if (at) this.#answer({ kind: 'TRIMMED', at })
      return
    }
    const sent = this.#engine.journal.slice(0, this.#engine.published)
    for (const frame of sent) if (frame.at.seq >= from && frame.at.seq <= to) this.#answer(frame)
    const at = sent.at(-1)?.at
    if (at) this.#answer({ kind: 'END', at, over: false, next: null })
  }

  #answer(frame: EngineFrame): void {
    this.deliver('replay', encodeEngineFrame(frame))
  }

  close(): void {
    this.#closed = true
    this.#onClose()
    for (const wake of this.#waiting.values()) wake(undefined)
    this.#waiting.clear()
  }
}
