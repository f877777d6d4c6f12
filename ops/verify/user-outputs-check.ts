import type { Barrier, LogRecord, UserRecord } from '../../core/events.ts'
import { assetId, type Pos, pos as asPos, userId } from '../../core/ids.ts'
import { partitionOf, userKey } from '../../core/partition.ts'
import { encodeUserRecord } from '../../schemas/codec.ts'
import { cellText } from './cell-text.ts'
import type { PartitionCursor, Standing } from './partition-cursor.ts'
import type { Interval } from './scylla-shapes.ts'
import type { Tally } from './tally.ts'
import { userShares } from './user-shares.ts'

const table = 'user.outputs'

export type UserOutputsOptions = {
  readonly cursors: readonly PartitionCursor[]
  readonly tally: Tally
  /** Offset in the log up to which `user.outputs` must be there; beyond, its end may come first. */
  readonly mustReach: bigint
  /** What each partition saw between two barriers, worked out from the log. */
  readonly onInterval: (interval: Interval) => void
}

type Expected = Exclude<UserRecord, { kind: 'Barrier' }>

/**
 * Reads `user.outputs` beside the log and holds every record against what the log makes it: n dense, shares byte for
 * byte, users ascending, nothing missing, nothing foreign; barriers whole, in all partitions, with the flow and numbers
 * that follow from the log.
 */
export class UserOutputsCheck {
  readonly #options: UserOutputsOptions
  readonly #ns: bigint[]
  readonly #sums: Map<number, bigint>[]
  #barrier: Pos = asPos(0n)

  constructor(options: UserOutputsOptions) {
    this.#options = options
    this.#ns = options.cursors.map(() => 0n)
    this.#sums = options.cursors.map(() => new Map())
  }

  /** The next record of the log, at offset `src`. */
  async take(src: bigint, record: LogRecord): Promise<void> {
    for (const { partition, record: expected } of this.#place(src, record)) await this.#expect(partition, expected)
    await this.#takeBarriers(src, record.pos)
  }

  /** The log is at its end: nothing may be left. */
  async end(): Promise<void> {
    for (const [partition, cursor] of this.#options.cursors.entries())
      for (let left = await cursor.peek(); left; left = await cursor.peek()) this.#extra(partition, left)
  }

  #place(src: bigint, record: LogRecord): { readonly partition: number; readonly record: Expected }[] {
    const { pos } = record
    const of = (user: bigint): number => partitionOf(userId(user), this.#ns.length)
    switch (record.kind) {
      case 'Output': {
        const { time } = record.output
        for (const change of record.output.changes)
          this.#add(of(change.user), change.asset, change.deltaAvailable + change.deltaFrozen)
        return userShares(record.output).map(({ user, orders, trades, changes }) => ({
          partition: of(user),
          record: { kind: 'UserOutput', n: 0n, src, pos, time, user: userId(user), orders, trades, changes },
        }))
      }
      case 'Reference': {
        const { time, reference } = record.output
        if (!reference) return []
        const each: Expected = { kind: 'UserReference', n: 0n, src, pos, time, reference }
        return this.#ns.map((_, partition) => ({ partition, record: each }))
      }
      case 'Correction': {
        const { command, correction } = record
        const partition = of(correction.user)
        this.#add(partition, correction.asset, correction.deltaAvailable + correction.deltaFrozen)
        return [{ partition, record: { kind: 'UserCorrection', n: 0n, src, pos, command, correction } }]
      }
      case 'Redrive': {
        const { command, user } = record
        return [{ partition: of(user), record: { kind: 'UserRedrive', n: 0n, src, pos, command, user } }]
      }
      case 'Session':
      case 'Tick':
      case 'Gap':
      case 'Admit':
      case 'Refused':
      case 'Note':
        return []
    }
  }

  #add(partition: number, asset: number, amount: bigint): void {
    const sums = this.#sums[partition] as Map<number, bigint>
    sums.set(asset, (sums.get(asset) ?? 0n) + amount)
  }

  async #expect(partition: number, expected: Expected): Promise<void> {
    const cursor = this.#options.cursors[partition] as PartitionCursor
    for (;;) {
      const standing = await cursor.peek()
      if (!standing && expected.src > this.#options.mustReach) return
      const order = standing?.record ? compare(standing.record, expected) : 'before'
      if (!standing || order === 'after') {
        const key = `partition=${partition} n=${this.#after(partition)}`
        this.#differ({ kind: 'missing', key, expected: shown(expected) })
        return
      }
      if (order === 'same') {
        this.#pass(partition, standing)
        this.#compare(partition, standing, expected)
        return
      }
      this.#extra(partition, standing)
    }
  }

  async #takeBarriers(src: bigint, pos: Pos): Promise<void> {
    const cursor = this.#options.cursors[0] as PartitionCursor
    for (;;) {
      const standing = await cursor.peek()
      if (!standing || !isBehind(standing, src)) return
      if (isBarrierAt(standing, src)) return await this.#barrierAt(src, pos)
      // Everything of this offset has been met: what else claims to be of it, or of one before, is foreign.
      this.#extra(0, standing)
    }
  }

  async #barrierAt(src: bigint, pos: Pos): Promise<void> {
    const ns: bigint[] = []
    const standings: (Standing | null)[] = []
    for (const [partition, cursor] of this.#options.cursors.entries()) {
      let standing = await cursor.peek()
      while (standing && !isBarrierAt(standing, src) && isBehind(standing, src)) {
        this.#extra(partition, standing)
        standing = await cursor.peek()
      }
      standings.push(standing && isBarrierAt(standing, src) ? standing : null)
      ns.push(this.#after(partition))
    }
    const flow = this.#flow()
    const expected: Barrier = { kind: 'Barrier', n: 0n, src, pos, previous: this.#barrier, ns, flow }
    for (const [partition, standing] of standings.entries()) {
      if (standing) {
        this.#pass(partition, standing)
        this.#compare(partition, standing, expected)
      } else if (src <= this.#options.mustReach || (await this.#options.cursors[partition]?.peek())) {
        // Beyond what must be there, a partition may have been read to an end that others are past already.
        this.#differ({ kind: 'missing', key: `partition=${partition} n=${ns[partition]}`, expected: shown(expected) })
      }
      this.#interval(partition, expected)
    }
    this.#barrier = pos
  }

  #interval(partition: number, { pos, previous, ns, flow }: Barrier): void {
    const sums = this.#sums[partition] as Map<number, bigint>
    this.#options.onInterval({
      pos,
      partition,
      sums: new Map([...sums].filter(([, sum]) => sum !== 0n)),
      flow: new Map(flow.map(({ asset, amount }) => [asset, amount])),
      n: ns[partition] as bigint,
      previous,
    })
    sums.clear()
  }

  /** Changes without an external reason sum to zero, so what all of them add is what came from outside. */
  #flow(): Barrier['flow'] {
    const total = new Map<number, bigint>()
    for (const sums of this.#sums) for (const [asset, sum] of sums) total.set(asset, (total.get(asset) ?? 0n) + sum)
    return [...total]
      .filter(([, amount]) => amount !== 0n)
      .sort(([a], [b]) => a - b)
      .map(([asset, amount]) => ({ asset: assetId(asset), amount }))
  }

  #after(partition: number): bigint {
    return (this.#ns[partition] as bigint) + 1n
  }

  /** Counts a record that stands where it may, and checks what the log does not decide: its number. */
  #pass(partition: number, { kafka, record }: Standing): void {
    ;(this.#options.cursors[partition] as PartitionCursor).pass()
    this.#options.tally.compared('Kafka', table)
    if (!record) return
    const after = this.#after(partition)
    if (record.n !== after)
      this.#broken(partition, kafka.offset, `n is ${record.n} where ${after} belongs: records are missing or foreign`)
    this.#ns[partition] = record.n
  }

  #compare(partition: number, { kafka, record }: Standing, expected: UserRecord): void {
    const { n } = record as UserRecord
    const key = keyOf(expected)
    if (key === null ? kafka.key !== null : !kafka.key?.equals(key))
      this.#broken(
        partition,
        kafka.offset,
        `its key is ${kafka.key?.toString() ?? 'null'}, not ${key?.toString() ?? 'null'}`,
      )
    if (kafka.timestampMs !== expected.pos / 1000n)
      this.#broken(partition, kafka.offset, `its time in Kafka is ${kafka.timestampMs} ms, not pos / 1000`)
    if (encodeUserRecord({ ...expected, n }).equals(kafka.value)) return
    const [should, is] = [{ ...expected, n }, record] as unknown as readonly Record<string, unknown>[]
    for (const column of Object.keys(should ?? {})) {
      const [a, b] = [cellText(should?.[column]) ?? 'null', cellText(is?.[column]) ?? 'null']
      const at = `partition=${partition} offset=${kafka.offset}`
      if (a !== b) this.#differ({ kind: 'different', key: at, column, expected: short(a), found: short(b) })
    }
  }

  #extra(partition: number, standing: Standing): void {
    const { kafka, record, problem } = standing
    this.#pass(partition, standing)
    if (!record) return this.#broken(partition, kafka.offset, problem)
    this.#differ({ kind: 'extra', key: `partition=${partition} offset=${kafka.offset}`, found: shown(record) })
  }

  #broken(partition: number, offset: bigint, problem: string): void {
    this.#differ({ kind: 'broken', key: `partition=${partition} offset=${offset}`, problem })
  }

  #differ(difference: Parameters<Tally['differ']>[2]): void {
    this.#options.tally.differ('Kafka', table, difference)
  }
}

const isBarrierAt = ({ record }: Standing, src: bigint): boolean => record?.kind === 'Barrier' && record.src === src
const isBehind = ({ record }: Standing, src: bigint): boolean => record === null || record.src <= src

/** Where a record stands that is met where `expected` belongs. */
const compare = (standing: UserRecord, expected: Expected): 'before' | 'same' | 'after' => {
  if (standing.src !== expected.src) return standing.src < expected.src ? 'before' : 'after'
  if (standing.kind === 'Barrier') return 'after'
  const [is, should] = [userOf(standing), userOf(expected)]
  if (is !== should) return is < should ? 'before' : 'after'
  return standing.kind === expected.kind ? 'same' : 'before'
}

const userOf = (record: Expected): bigint => {
  switch (record.kind) {
    case 'UserOutput':
    case 'UserRedrive':
      return record.user
    case 'UserCorrection':
      return record.correction.user
    case 'UserReference':
      return 0n
  }
}

const keyOf = (record: UserRecord): Buffer | null =>
  record.kind === 'Barrier' || record.kind === 'UserReference' ? null : userKey(userId(userOf(record)))

const short = (text: string): string => (text.length <= 300 ? text : `${text.slice(0, 300)}…`)
const shown = (record: UserRecord): string => {
  const user = record.kind === 'Barrier' || record.kind === 'UserReference' ? '' : ` of user ${userOf(record)}`
  return `${record.kind}${user}, src=${record.src} pos=${record.pos}`
}
