import type { Command, CommandRecord, EngineOutput, EnginePosition, LogRecord, UserRecord } from '../../core/events.ts'
import { amount, type AssetId, assetId, type Pos, pos, type UserId, userId, version } from '../../core/ids.ts'
import { CqlTuple } from '../../runtime/cql/port.ts'
import { MemoryStore } from '../../runtime/cql/testing/memory-store.ts'
import { MemoryBroker, type MemoryBrokerOptions } from '../../runtime/kafka/testing/memory-broker.ts'
import { namesOf } from '../../runtime/names.ts'
import { TestClock } from '../../runtime/testing/test-clock.ts'
import { decodeCommandRecord, encodeLogRecord, encodeUserRecord } from '../../schemas/codec.ts'
import type { OperatorPlaces, OperatorRequest } from '../operate/operator-command.ts'
import { operate } from '../operate/operate.ts'

const names = namesOf('demo')
const partitions = 2
export const alice: UserId = userId(7n)
export const btc: AssetId = assetId(1)
export const session = { epoch: 7n, random: 42n }
export const chain = Buffer.alloc(32, 0xab)

type Body<R> = R extends { readonly pos: Pos; readonly at: EnginePosition } ? Omit<R, 'pos' | 'at'> : never
/** What a test's bridge makes of a command; null: it is asked again a little later. */
export type Decide = (command: CommandRecord) => Body<LogRecord> | null

/** A bridge that does what it is asked, without looking. */
export const obedient: Decide = record => {
  const { command } = record
  switch (record.kind) {
    case 'Gap':
      return { kind: 'Gap', command, lostAfter: record.after }
    case 'Correct':
      return { kind: 'Correction', command, correction: record.correction }
    case 'Admit':
      return { kind: 'Admit', command, refusedPos: record.refusedPos }
    case 'Redrive':
      return { kind: 'Redrive', command, user: record.user }
    case 'Note':
      return { kind: 'Note', command, text: record.text }
  }
}
export const refusing: Decide = ({ command }) => ({ kind: 'Refused', command, reason: 'not needed' })

type Shown = { readonly exitCode: number; readonly out: string; readonly err: string }

/** Kafka and the store in memory, a clock that passes as soon as everybody waits, and a bridge when one is started. */
export class OperatorWorld {
  readonly clock = new TestClock()
  readonly broker: MemoryBroker
  readonly store = new MemoryStore()
  readonly names = names
  seq = 0n
  #pos = 1_700_000_000_000_000n
  #ns = [0n, 0n]

  constructor(options: Partial<MemoryBrokerOptions> = {}) {
    this.broker = new MemoryBroker({ clock: this.clock, ...options })
    this.broker.addTopic({ topic: names.topics.log, partitions: 1 })
    this.broker.addTopic({ topic: names.topics.users, partitions })
    this.broker.addTopic({ topic: names.topics.commands, partitions: 1 })
    for (let partition = 0; partition < partitions; partition++)
      this.broker.offsets(names.groups.settle, names.topics.users).set(partition, { offset: 0n, metadata: 'n=0 pos=0' })
    this.store.apply({
      cql: 'INSERT INTO assets (asset, name, decimals, pos) VALUES (?, ?, ?, ?) USING TIMESTAMP ?',
      params: [btc, 'BTC', 8, 1n, 1n],
    })
    this.store.apply({
      cql: 'INSERT INTO assets (asset, name, decimals, pos) VALUES (?, ?, ?, ?) USING TIMESTAMP ?',
      params: [2, 'USDT', 2, 1n, 1n],
    })
  }

  get at(): EnginePosition {
    return { ...session, seq: this.seq, chain }
  }

  /** Appends to the log, and leaves the hole that a transaction's marker makes; the record's pos. */
  log(body: Body<LogRecord>): Pos {
    if (body.kind === 'Output') this.seq++
    const at = this.at
    this.#pos += 1000n
    const record = { ...body, pos: pos(this.#pos), at } as LogRecord
    this.broker.put(names.topics.log, 0, { value: encodeLogRecord(record) })
    this.broker.log(names.topics.log, 0).mark()
    return record.pos
  }

  output(over: Partial<EngineOutput>): Pos {
    const output = { time: 5n, reference: null, orders: [], trades: [], changes: [], ...over }
    return this.log({ kind: 'Output', output })
  }

  /** A barrier in all partitions that covers the log so far; settle has committed it. */
  settled(): void {
    const src = this.broker.log(names.topics.log, 0).high - 2n
    const ns = this.#ns.map(n => n + 1n)
    this.#ns = ns
    for (const [partition, n] of ns.entries()) {
      const head = { src, pos: pos(this.#pos), previous: pos(0n), ns, flow: [] }
      const barrier: UserRecord = { kind: 'Barrier', n, ...head }
      this.broker.put(names.topics.users, partition, { value: encodeUserRecord(barrier) })
      const offset = {
        offset: this.broker.log(names.topics.users, partition).high,
        metadata: `n=${n} pos=${this.#pos}`,
      }
      this.broker.offsets(names.groups.settle, names.topics.users).set(partition, offset)
    }
  }

  /** `at`: pos of the record that brought it. */
  balance(
    asset: AssetId,
    [available, frozen, atVersion]: readonly [bigint, bigint, bigint],
    { at = 10n }: { readonly at?: bigint } = {},
  ): void {
    this.store.apply({
      cql: 'INSERT INTO balances (user_id, asset, bal) VALUES (?, ?, ?) USING TIMESTAMP ?',
      params: [alice, asset, new CqlTuple(available, frozen, atVersion, at), at],
    })
  }

  parked(at: Pos, asset: AssetId, atVersion: bigint): void {
    this.store.apply({
      cql: 'INSERT INTO parked (user_id, pos, asset, version, code, message) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?',
      params: [alice, at, asset, atVersion, 'VersionAhead', 'a version is missing', at],
    })
  }

  /** Answers every command that comes, in order, each in one transaction with its offset, until the signal. */
  async bridge(decide: Decide, signal: AbortSignal): Promise<void> {
    const kafka = this.broker.client('bridge')
    const writer = await kafka.openTxWriter({ transactionalId: names.transactionalIds.bridge })
    const fetcher = kafka.openFetcher()
    const { commands: topic, log } = names.topics
    for (let offset = 0n; !signal.aborted; ) {
      const { records, next } = await fetcher.read({ topic, partition: 0, offset })
      offset = next
      for (const record of records) {
        const answer = decide(decodeCommandRecord(record.value))
        if (!answer) {
          offset = record.offset
          await this.clock.sleep(20)
          break
        }
        this.#pos += 1000n
        const value = encodeLogRecord({ ...answer, pos: pos(this.#pos), at: this.at })
        await writer.commitBatch({
          records: [{ topic: log, partition: 0, key: null, value, timestampMs: this.#pos / 1000n }],
          groupOffset: { group: names.groups.bridge, topic, partition: 0, offset: record.offset + 1n, metadata: '' },
        })
      }
    }
  }

  sent(): readonly CommandRecord[] {
    const log = this.broker.log(names.topics.commands, 0)
    return log.tail(100, log.high).map(({ value }) => decodeCommandRecord(value))
  }

  /** One `settle` command from plan to answer. */
  async run(
    request: OperatorRequest,
    over: Partial<Parameters<typeof operate>[0]> & { readonly id?: string; readonly who?: string } = {},
  ): Promise<Shown> {
    const [out, err]: [string[], string[]] = [[], []]
    const { id = 'c-1', who = 'ann', ...rest } = over
    const command: Command = { id, who, why: 'INC-1', time: this.clock.nowUs() }
    const places: OperatorPlaces = {
      kafka: this.broker.client(),
      names,
      partitions,
      openCql: () => Promise.resolve(this.store),
      progress: text => err.push(text),
    }
    const exitCode = await operate({
      name: 'test',
      places,
      clock: this.clock,
      out: text => out.push(text),
      request,
      command,
      mode: 'send',
      format: 'text',
      waitMs: 2000,
      ...rest,
    })
    return { exitCode, out: out.join('\n'), err: err.join('\n') }
  }
}

export const change = (
  [at, available, frozen]: readonly [bigint, bigint, bigint],
  [deltaAvailable, deltaFrozen]: readonly [bigint, bigint],
  { user = alice, asset = btc }: { readonly user?: UserId; readonly asset?: AssetId } = {},
): EngineOutput['changes'][number] => ({
  user,
  asset,
  version: version(at),
  available: amount(available),
  frozen: amount(frozen),
  deltaAvailable: amount(deltaAvailable),
  deltaFrozen: amount(deltaFrozen),
  reason: 'Deposit',
  ref: 1n,
})
