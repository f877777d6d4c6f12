import type { CorrectionBody, EngineOutput, LogRecord, ReferenceData, UserRecord } from '../../../core/events.ts'
import { correctionFlow, mergeFlows, totalFlow } from '../../../core/flow.ts'
import type { Pos, UserId } from '../../../core/ids.ts'
import { partitionOf } from '../../../core/partition.ts'
import { splitOutput } from '../../../core/split.ts'

type Body = UserRecord extends infer R ? (R extends UserRecord ? Omit<R, 'n' | 'src' | 'pos'> : never) : never

/** Records of `user.outputs` for tests, as an honest repartition would number them; written to `records` by partition. */
export class UserTopic {
  readonly records: readonly UserRecord[][]
  /** The records of `engine.outputs` that they came from. */
  readonly log: LogRecord[] = []
  readonly #partitions: number
  #pos: bigint
  #src = -1n
  #flow = mergeFlows()
  #previous = 0n

  constructor({
    partitions,
    firstPos = 1_700_000_000_000_000n,
  }: { readonly partitions: number; readonly firstPos?: bigint }) {
    this.#partitions = partitions
    this.records = Array.from({ length: partitions }, () => [])
    this.#pos = firstPos
  }

  /** pos of the last record. */
  get pos(): Pos {
    return this.#pos as Pos
  }

  output(output: EngineOutput): void {
    this.#advance()
    this.log.push({ kind: 'Output', pos: this.pos, at, output })
    for (const share of splitOutput(output)) this.#put(share.user, { kind: 'UserOutput', time: output.time, ...share })
    this.#flow = mergeFlows(this.#flow, totalFlow(output))
  }

  correction(correction: CorrectionBody): void {
    this.#advance()
    this.log.push({ kind: 'Correction', pos: this.pos, at, command, correction })
    this.#put(correction.user, { kind: 'UserCorrection', command, correction })
    this.#flow = mergeFlows(this.#flow, correctionFlow(correction))
  }

  redrive(user: UserId): void {
    this.#advance()
    this.#put(user, { kind: 'UserRedrive', command, user })
  }

  reference(reference: ReferenceData): void {
    this.#advance()
    for (let partition = 0; partition < this.#partitions; partition++)
      this.#append(partition, { kind: 'UserReference', time: this.#pos, reference })
  }

  /** A barrier, when there is something since the last one: no two are at one pos. */
  barrier(): void {
    if (this.#pos === this.#previous) return
    const ns = this.records.map(each => BigInt(each.length) + 1n)
    const barrier = { kind: 'Barrier', previous: this.#previous as Pos, ns, flow: this.#flow } as const
    for (let partition = 0; partition < this.#partitions; partition++) this.#append(partition, barrier)
    this.#previous = this.#pos
    this.#flow = []
  }

  #advance(): void {
    this.#pos += 1000n
    this.#src++
  }

  #put(user: UserId, body: Body): void {
    this.#append(partitionOf(user, this.#partitions), body)
  }

  #append(partition: number, body: Body): void {
    const records = this.records[partition] as UserRecord[]
    const head = { n: BigInt(records.length) + 1n, src: this.#src, pos: this.pos }
    records.push({ ...body, ...head })
  }
}

const command = { id: 'c-1', who: 'operator', why: 'test', time: 1_700_000_000_000_000n }
const at = { epoch: 1n, random: 1n, seq: 1n, chain: Buffer.alloc(32) }
