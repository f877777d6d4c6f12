import type { Clock } from '../../../runtime/clock.ts'
import type { MemoryKafka } from '../../../runtime/kafka/testing/memory-kafka.ts'
import type { Timeline } from '../timeline.ts'

type LifeState =
  | { readonly kind: 'running' }
  | { readonly kind: 'frozen'; readonly sinceMs: number }
  | { readonly kind: 'dead' }
  | { readonly kind: 'ended' }

/**
 * One life of a process, from its start to its end. Every port of it waits here before something goes out and before an
 * answer is heard, so that it can be stopped between any two awaits: for a while (SIGSTOP), or for good (SIGKILL). What
 * was on the wire by then still happens.
 */
export class Life implements Clock {
  readonly name: string
  readonly kafka: MemoryKafka
  readonly stopping = new AbortController()
  readonly #timeline: Timeline
  readonly #skewUs: () => bigint
  #state: LifeState = { kind: 'running' }
  /** It was stopped for so long once that its groups went on without it. */
  #wasOutlived = false

  /** `skewUs`: of the machine's clock. */
  constructor(options: {
    readonly name: string
    readonly kafka: MemoryKafka
    readonly timeline: Timeline
    readonly skewUs: () => bigint
  }) {
    this.name = options.name
    this.kafka = options.kafka
    this.#timeline = options.timeline
    this.#skewUs = options.skewUs
  }

  get state(): LifeState['kind'] {
    return this.#state.kind
  }

  /** Dead, or so long stopped once that others took over: what it still writes comes late. */
  get isZombie(): boolean {
    return this.#state.kind === 'dead' || this.#wasOutlived
  }

  awake = (): Promise<void> => this.kafka.awake

  freeze(): void {
    if (this.#state.kind !== 'running') return
    this.#state = { kind: 'frozen', sinceMs: this.#timeline.monotonicMs() }
    this.kafka.freeze()
  }

  thaw(): void {
    if (this.#state.kind !== 'frozen') return
    const frozenMs = this.#timeline.monotonicMs() - this.#state.sinceMs
    if (frozenMs >= this.kafka.broker.options.sessionTimeoutMs) this.#wasOutlived = true
    this.#state = { kind: 'running' }
    this.kafka.thaw()
  }

  kill(): void {
    if (this.#state.kind === 'ended') return
    this.kafka.freeze()
    this.#state = { kind: 'dead' }
  }

  /** The service has ended by itself, and its process with it. */
  end(): void {
    if (this.#state.kind === 'dead') return
    this.kafka.freeze()
    this.#state = { kind: 'ended' }
  }

  nowUs(): bigint {
    return this.#timeline.nowUs() + this.#skewUs()
  }

  monotonicMs(): number {
    return this.#timeline.monotonicMs()
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.#timeline.sleep(ms, signal)
    await this.awake()
  }
}
