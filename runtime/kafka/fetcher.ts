import { setTimeout as delay } from 'node:timers/promises'
import { AwaitedReaders } from './awaited-readers.ts'
import { classify, wasAnswered } from './classify.ts'
import type { Client } from './client.ts'
import type { KafkaLimits } from './limits.ts'
import { type Fetcher, KafkaFailure, type KafkaRecord } from './port.ts'
import {
  Batch,
  type Cluster,
  type ClusterBroker,
  type FetchedPartition,
  isolationLevel,
  openCluster,
} from './private-cluster.ts'
import { within } from './within.ts'

type Request = {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly maxBytes: number
}
type Answer = { readonly records: readonly KafkaRecord[]; readonly next: bigint }
type Waiting = Request & { readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void }

const defaultMaxBytes = 512 * 1024
const maxResponseBytes = 16 * 1024 * 1024
/** Fewer records than this in one answer are few: whoever is behind gets many times as many. */
const fewRecords = 100
/** Longer than any service works on one answer, but for one that its own store holds up. */
const readerForgottenAfterMs = 5_000

export type FetcherOptions = {
  /** Its own: it is cut with the fetcher. */
  readonly client: Client
  readonly limits: KafkaLimits
  /** How long a request waits at the broker for the first byte. */
  readonly waitMs: number
  /** The same while a reader works on what he was given: what he asks for then waits behind it. */
  readonly awaitedWaitMs: number
  /** From one fetch that brought few records to the next at the same broker, at least; 0 for whoever wants each at once. */
  readonly gatherMs: number
}

/**
 * One fetch at a time to each leader, for all the partitions asked for by then: a broker answers the requests of a
 * connection one after another, so several long polls would wait for each other. One partition that is behind would
 * wait for those that are not, at each of its fetches: hence shorter polls while one is worked on.
 */
export class GrouplessFetcher implements Fetcher {
  readonly #client: Client
  readonly #cluster: Cluster
  readonly #limits: KafkaLimits
  readonly #waitMs: number
  readonly #awaitedWaitMs: number
  readonly #gatherMs: number
  readonly #readers = new AwaitedReaders({ forgetAfterMs: readerForgottenAfterMs })
  readonly #topics = new Set<string>()
  #connected: Promise<void> | null = null
  #waiting: Waiting[] = []
  #scheduled = false
  readonly #busy = new Set<string>()
  readonly #end = new AbortController()

  constructor({ client, limits, waitMs, awaitedWaitMs, gatherMs }: FetcherOptions) {
    this.#client = client
    this.#cluster = openCluster(client.kafka)
    this.#limits = limits
    this.#waitMs = waitMs
    this.#awaitedWaitMs = awaitedWaitMs
    this.#gatherMs = gatherMs
  }

  read(request: {
    readonly topic: string
    readonly partition: number
    readonly offset: bigint
    readonly maxBytes?: number
  }): Promise<Answer> {
    if (this.#end.signal.aborted) return Promise.reject(new KafkaFailure('retriable', 'the fetcher is closed'))
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    this.#readers.asked(nameOf(request))
    this.#waiting.push({ ...request, maxBytes: request.maxBytes ?? defaultMaxBytes, resolve, reject })
    this.#schedule()
    return promise
  }

  async close(): Promise<void> {
    this.#end.abort()
    for (const waiting of this.#waiting) waiting.reject(new KafkaFailure('retriable', 'the fetcher is closed'))
    this.#waiting = []
    await within(this.#limits.closeMs, 'close the fetcher', this.#cluster.disconnect()).catch(() => {})
    this.#client.cut()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    // After an answer every reader asks again within this turn of the loop: wait for them, then ask once.
    setImmediate(() => {
      this.#scheduled = false
      void this.#dispatch()
    })
  }

  async #dispatch(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    try {
      await within(this.#limits.askMs, 'fetch', this.#prepare(waiting))
      for (const [leader, requests] of this.#byLeader(waiting)) {
        if (this.#busy.has(leader)) this.#waiting.push(...requests)
        else void this.#fetch(leader, requests)
      }
    } catch (error) {
      // Whatever waits for an answer that does not come would keep those who ask next waiting too.
      if (!wasAnswered(error)) this.#client.reset()
      const failure = classify(error, 'fetch')
      for (const request of waiting) request.reject(failure)
    }
  }

  async #prepare(requests: readonly Waiting[]): Promise<void> {
    this.#connected ??= this.#cluster.connect()
    await this.#connected.catch((error: unknown) => {
      this.#connected = null
      throw error
    })
    for (const { topic } of requests) {
      if (this.#topics.has(topic)) continue
      await this.#cluster.addTargetTopic(topic)
      this.#topics.add(topic)
    }
    await this.#cluster.refreshMetadataIfNecessary()
  }

  #byLeader(requests: readonly Waiting[]): ReadonlyMap<string, Waiting[]> {
    const byLeader = new Map<string, Waiting[]>()
    for (const request of requests) {
      const [leader] = Object.keys(this.#cluster.findLeaderForPartitions(request.topic, [request.partition]))
      if (leader === undefined) {
        request.reject(new KafkaFailure('retriable', `${request.topic}-${request.partition} has no leader`))
        continue
      }
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), request])
    }
    return byLeader
  }

  async #fetch(leader: string, requests: readonly Waiting[]): Promise<void> {
    this.#busy.add(leader)
    const startedMs = performance.now()
    let brought = 0
    try {
      const { responses } = await within(this.#limits.askMs, 'fetch', this.#ask(leader, requests))
      const answers = new Map<string, FetchedPartition>()
      for (const { topicName, partitions } of responses)
        for (const data of partitions) answers.set(`${topicName}-${data.partition}`, data)
      for (const request of requests) {
        const answer = answerOf(request, answers.get(nameOf(request)))
        brought += answer.records.length
        if (answer.records.length > 0) this.#readers.given(nameOf(request), performance.now())
        request.resolve(answer)
      }
    } catch (error) {
      await this.#failed(error, requests)
    } finally {
      if (brought < fewRecords) await this.#gather(startedMs)
      this.#busy.delete(leader)
      if (this.#waiting.length > 0) this.#schedule()
    }
  }

  /** Lets more come together: a request costs both sides as much for one record as for a hundred. */
  async #gather(startedMs: number): Promise<void> {
    const leftMs = this.#gatherMs - (performance.now() - startedMs)
    if (leftMs > 0) await delay(leftMs, undefined, { signal: this.#end.signal }).catch(() => {})
  }

  async #ask(leader: string, requests: readonly Waiting[]): ReturnType<ClusterBroker['fetch']> {
    const broker = await this.#cluster.findBroker({ nodeId: leader })
    return broker.fetch({
      isolationLevel,
      maxWaitTime: this.#readers.any(performance.now()) ? this.#awaitedWaitMs : this.#waitMs,
      minBytes: 1,
      maxBytes: maxResponseBytes,
      topics: requests.map(({ topic, partition, offset, maxBytes }) => ({
        topic,
        partitions: [{ partition, fetchOffset: `${offset}`, maxBytes }],
      })),
    })
  }

  async #failed(error: unknown, requests: readonly Waiting[]): Promise<void> {
    const failure = classify(error, 'fetch')
    if (failure.kind === 'out-of-range') {
      // The client names the one partition at fault; the others just ask again.
      const { topic, partition } = error as { readonly topic?: string; readonly partition?: number }
      for (const request of requests)
        if (request.topic === topic && request.partition === partition) request.reject(failure)
        else request.resolve({ records: [], next: request.offset })
      return
    }
    // A leader that moved is found again by fresh metadata; when that fails too, the next request says so.
    if (!wasAnswered(error)) this.#client.reset()
    await within(this.#limits.askMs, 'find leaders', this.#cluster.refreshMetadata()).catch(() => {})
    for (const request of requests) request.reject(failure)
  }
}

const nameOf = ({ topic, partition }: Pick<Request, 'topic' | 'partition'>): string => `${topic}-${partition}`

const answerOf = ({ topic, offset }: Request, data: FetchedPartition | undefined): Answer => {
  if (!data) return { records: [], next: offset }
  const batch = new Batch(topic, `${offset}`, data)
  const last = batch.messagesWithinOffset.at(-1)
  return {
    records: batch.messages.map(({ offset: at, key, value, timestamp }) => ({
      offset: BigInt(at),
      key,
      value: value ?? Buffer.alloc(0),
      timestampMs: BigInt(timestamp),
    })),
    next: last ? BigInt(last.offset) + 1n : offset,
  }
}
