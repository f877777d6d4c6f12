import fc from 'fast-check'
import type { EngineOutput, EnginePosition, LogRecord, UserRecord } from '../../../core/events.ts'
import { assetId, amount, pos, symbolId, userId, version } from '../../../core/ids.ts'
import { partitionOf } from '../../../core/partition.ts'
import { splitOutput } from '../../../core/split.ts'
import { history } from '../../../core/testing/history.ts'
import { base, house, lot, quote } from '../../../core/testing/tiny-exchange.ts'
import { zeroChain } from '../../../schemas/chain.ts'
import { encodeLogRecord, encodeUserRecord } from '../../../schemas/codec.ts'
import type { ReadRecord } from '../../../runtime/reader/reader.ts'

/** Both topics as an archive reads them, by partition. */
export type ArchiveLog = {
  readonly users: readonly (readonly ReadRecord<UserRecord>[])[]
  readonly log: readonly ReadRecord<LogRecord>[]
}

/** A step of the log's clock, and whether a barrier follows: many in one window, a gap of windows, on an edge. */
export type Beat = { readonly stepUs: bigint; readonly barrier: 'none' | 'after' }

export const windowMs = 1000
const startUs = 1_700_000_000_000_000n
const partitions = 2

const beat: fc.Arbitrary<Beat> = fc.record({
  stepUs: fc.oneof(
    { weight: 6, arbitrary: fc.bigInt({ min: 1n, max: 200_000n }) },
    { weight: 1, arbitrary: fc.constantFrom(999_999n, 1_000_000n, 1_000_001n) },
    { weight: 1, arbitrary: fc.bigInt({ min: 1_000_000n, max: 9_000_000n }) },
  ),
  barrier: fc.constantFrom('none', 'none', 'after'),
})

/** Some engine's life in both topics, ended by a Tick and a barrier a long time later, which close every window. */
export const archiveLog: fc.Arbitrary<ArchiveLog> = fc
  .tuple(history, fc.array(beat, { minLength: 70, maxLength: 70 }))
  .map(([outputs, beats]) => logOf(outputs, beats))

export const logOf = (outputs: readonly EngineOutput[], beats: readonly Beat[]): ArchiveLog => {
  const building = new Building()
  building.add(startUs, referenceOutput())
  let at = startUs
  outputs.forEach((output, i) => {
    const { stepUs, barrier } = beats[i % beats.length] as Beat
    at += stepUs
    building.add(at, output)
    if (barrier === 'after') building.barrier()
    if (i === 20) building.correct((at += 1n))
  })
  building.tick(at + 60_000_000n)
  building.barrier()
  return building
}

class Building implements ArchiveLog {
  readonly users: ReadRecord<UserRecord>[][] = Array.from({ length: partitions }, () => [])
  readonly log: ReadRecord<LogRecord>[] = []
  readonly #ends = [0n, 0n]
  #logEnd = 0n
  #seq = 0n
  #lastPos = 0n

  add(at: bigint, output: EngineOutput): void {
    this.#seq++
    const kind = output.reference === null ? 'Output' : 'Reference'
    const src = this.#write({ kind, pos: pos(at), at: this.#at(), output })
    const head = { src, pos: pos(at) }
    if (output.reference !== null)
      for (const p of [0, 1])
        this.#send(p, n => ({
          ...head,
          n,
          kind: 'UserReference',
          time: output.time,
          reference: output.reference as never,
        }))
    for (const share of splitOutput(output))
      this.#send(partitionOf(share.user, partitions), n => ({
        ...head,
        n,
        ...share,
        kind: 'UserOutput',
        time: output.time,
      }))
  }

  correct(at: bigint): void {
    const command = { id: 'c,"1"', who: 'ann', why: 'lost\r\nupdate', time: at }
    const correction = {
      user: userId(3n),
      asset: assetId(1),
      version: version(9n),
      available: amount(5n),
      frozen: amount(0n),
      deltaAvailable: amount(-2n),
      deltaFrozen: amount(0n),
    }
    const src = this.#write({ kind: 'Correction', pos: pos(at), at: this.#at(), command, correction })
    this.#send(partitionOf(correction.user, partitions), n => ({
      kind: 'UserCorrection',
      n,
      src,
      pos: pos(at),
      command,
      correction,
    }))
  }

  tick(at: bigint): void {
    this.#write({ kind: 'Tick', pos: pos(at), at: this.#at() })
  }

  barrier(): void {
    const at = pos(this.#lastPos)
    const ns = this.users.map(records => BigInt(records.length) + 1n)
    for (const p of [0, 1])
      this.#send(p, n => ({ kind: 'Barrier', n, src: this.#logEnd - 1n, pos: at, previous: pos(0n), ns, flow: [] }))
  }

  #at(): EnginePosition {
    return { epoch: 2n ** 64n - 1n, random: 7n, seq: this.#seq, chain: zeroChain }
  }

  #write(record: LogRecord): bigint {
    const offset = this.#logEnd
    this.log.push({ offset, record, value: encodeLogRecord(record) })
    // A transaction's marker leaves a hole now and then.
    this.#logEnd += this.#seq % 3n === 0n ? 2n : 1n
    this.#lastPos = record.pos
    return offset
  }

  #send(p: number, make: (n: bigint) => UserRecord): void {
    const to = this.users[p] as ReadRecord<UserRecord>[]
    const n = BigInt(to.length) + 1n
    const record = make(n)
    to.push({ offset: this.#ends[p] as bigint, record, value: encodeUserRecord(record) })
    this.#ends[p] = (this.#ends[p] as bigint) + (n % 4n === 0n ? 2n : 1n)
  }
}

const referenceOutput = (): EngineOutput => ({
  time: startUs,
  orders: [],
  trades: [],
  changes: [],
  reference: {
    assets: [
      { asset: base, name: 'BTC', decimals: 8 },
      { asset: quote, name: 'US "Dollar"', decimals: 2 },
    ],
    symbols: [{ symbol: symbolId(1), name: 'BTC,USD', base, quote, lot: amount(lot), priceScale: 2, quantityScale: 4 }],
    house,
  },
})
