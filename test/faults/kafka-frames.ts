import type { Chunk, ConnectionPlan, Fault, Plan } from './tcp-proxy.ts'

/** The requests that a fault may be aimed at, by Kafka's api keys. */
const apiKeys = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  SyncGroup: 14,
  DescribeGroups: 15,
  ApiVersions: 18,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
} as const
export type Api = keyof typeof apiKeys

/** A request or an answer as it stands in the stream: `start` to `end` are bytes of its direction. */
export type Frame = {
  readonly api: Api | 'other'
  readonly part: 'request' | 'answer'
  readonly connection: number
  readonly start: number
  readonly end: number
}

/** Said of the first frame that matches; then the rule is spent. */
export type Rule = {
  readonly api: Api
  readonly part: 'request' | 'answer'
  /** The fault, told where the frame begins and ends. */
  readonly fault: (frame: Frame) => Fault
}

const sizeBytes = 4
/** Size, api key, version, correlation id. */
const requestHeadBytes = 12
/** Size, correlation id. */
const answerHeadBytes = 8

/**
 * Reads Kafka's framing as it goes by and aims at single requests or answers: not at bytes by luck, but at "the answer
 * to the next EndTxn". One fault a chunk: kafkajs has one request at a time on the connections that this is used on.
 */
export class KafkaFrames {
  readonly #rules: { readonly rule: Rule; readonly met: PromiseWithResolvers<Frame> }[] = []
  readonly #watchers = new Set<(frame: Frame) => Fault | null>()
  /** How often each request went by. */
  readonly requests = new Map<Api | 'other', number>()

  readonly plan: Plan = connection => this.#follow(connection)

  /** Aims at the next frame of its kind. Resolves when that has come by. */
  next(rule: Rule): Promise<Frame> {
    const met = Promise.withResolvers<Frame>()
    this.#rules.push({ rule, met })
    return met.promise
  }

  /** Asked about each frame from now on, until the returned function is called. */
  each(watcher: (frame: Frame) => Fault | null): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  /** Forgets what was aimed at and not met. */
  clear(): void {
    this.#rules.length = 0
    this.#watchers.clear()
  }

  #follow(connection: number): ConnectionPlan {
    const apis = new Map<number, Api | 'other'>()
    const requests = new FrameReader(requestHeadBytes, head => {
      const api = nameOf(head.readInt16BE(sizeBytes))
      apis.set(head.readInt32BE(sizeBytes + 4), api)
      this.requests.set(api, (this.requests.get(api) ?? 0) + 1)
      return api
    })
    const answers = new FrameReader(answerHeadBytes, head => {
      const correlationId = head.readInt32BE(sizeBytes)
      const api = apis.get(correlationId) ?? 'other'
      apis.delete(correlationId)
      return api
    })
    return chunk => {
      const part = chunk.direction === 'to target' ? 'request' : 'answer'
      const reader = part === 'request' ? requests : answers
      // All frames of the chunk are read before one is judged, or the reader would lose its place.
      for (const { api, start, end } of [...reader.read(chunk)]) {
        const fault = this.#judge({ api, part, connection, start, end })
        if (fault) return fault
      }
      return null
    }
  }

  #judge(frame: Frame): Fault | null {
    const index = this.#rules.findIndex(({ rule }) => rule.api === frame.api && rule.part === frame.part)
    const [found] = index < 0 ? [] : this.#rules.splice(index, 1)
    if (found) {
      found.met.resolve(frame)
      return found.rule.fault(frame)
    }
    for (const watcher of this.#watchers) {
      const fault = watcher(frame)
      if (fault) return fault
    }
    return null
  }
}

/** Finds where frames begin in the chunks of one direction. */
class FrameReader {
  readonly #headBytes: number
  readonly #nameOf: (head: Buffer) => Api | 'other'
  #head = Buffer.alloc(0)
  /** The first byte of the next frame. */
  #next = 0

  constructor(headBytes: number, nameOf: (head: Buffer) => Api | 'other') {
    this.#headBytes = headBytes
    this.#nameOf = nameOf
  }

  /** The frames whose heads are complete with this chunk. */
  *read({
    from,
    bytes,
  }: Chunk): Generator<{ readonly api: Api | 'other'; readonly start: number; readonly end: number }> {
    let at = from
    const end = from + bytes.length
    while (at < end) {
      const start = this.#next
      if (this.#head.length < this.#headBytes) {
        const begin = Math.max(at, start + this.#head.length)
        if (begin >= end) return
        const taken = bytes.subarray(begin - from, begin - from + this.#headBytes - this.#head.length)
        this.#head = Buffer.concat([this.#head, taken])
        at = begin + taken.length
        if (this.#head.length < this.#headBytes) return
      }
      this.#next = start + sizeBytes + this.#head.readInt32BE(0)
      const api = this.#nameOf(this.#head)
      this.#head = Buffer.alloc(0)
      at = Math.max(at, Math.min(this.#next, end))
      yield { api, start, end: this.#next }
    }
  }
}

const nameOf = (key: number): Api | 'other' => {
  for (const [name, value] of Object.entries(apiKeys)) if (value === key) return name as Api
  return 'other'
}
