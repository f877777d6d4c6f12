import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BalanceChange, CommandRecord, EngineOutput, EnginePosition, LogRecord } from '../../core/events.ts'
import { amount, assetId, pos, userId, version } from '../../core/ids.ts'
import { type Stack, up } from '../../local/stack.ts'
import { CqlTuple } from '../../runtime/cql/port.ts'
import type { KafkaPort, TxWriter } from '../../runtime/kafka/port.ts'
import { namesOf } from '../../runtime/names.ts'
import { decodeCommandRecord, encodeLogRecord } from '../../schemas/codec.ts'
import { type Ran, runSettle } from '../pipeline/run-settle.ts'
import { newStream } from '../pipeline/run-to-the-end.ts'
import { openBroker, openStore } from '../pipeline/stack-clients.ts'

const partitions = 2
const names = namesOf(newStream('operate'))
const [user, btc] = [userId(42n), assetId(1)]
const firstPos = 1_700_000_000_000_000n
let stack: Stack
let kafka: KafkaPort
let bridge: TxWriter
/** Records of the log; pos of the last one is `firstPos` + their number. */
let written = 0

beforeAll(async () => {
  stack = await up()
  kafka = openBroker(stack, 'operate-test')
  const made = await settle(['init'])
  if (made.exitCode !== 0) throw new Error(made.err)
  bridge = await kafka.openTxWriter({ transactionalId: names.transactionalIds.bridge })
  const store = await openStore(stack, names.stream)
  await store.write([
    {
      cql: 'INSERT INTO assets (asset, name, decimals, pos) VALUES (?, ?, ?, ?) USING TIMESTAMP ?',
      params: [btc, 'BTC', 8, firstPos, firstPos],
    },
  ])
  await store.write([
    {
      cql: 'INSERT INTO balances (user_id, asset, bal) VALUES (?, ?, ?) USING TIMESTAMP ?',
      params: [user, btc, new CqlTuple(120_000_000n, 30_000_000n, 4n, firstPos), firstPos],
    },
  ])
  await store.close()
  const reference = {
    assets: [{ asset: btc, name: 'BTC', decimals: 8 }],
    symbols: [],
    house: userId(1n),
  }
  await write({ kind: 'Reference', output: { ...nothing, reference } })
  await write(
    output([posting({ version: version(10n), available: amount(160_000_000n), deltaAvailable: amount(10_000_000n) })]),
  )
  // What no engine may do: a trade's money that comes from nowhere.
  await write(
    output([
      posting({
        version: version(11n),
        available: amount(160_000_500n),
        deltaAvailable: amount(500n),
        reason: 'Trade',
      }),
    ]),
  )
})
afterAll(async () => {
  await bridge?.close()
  await kafka?.close()
})

const nothing: EngineOutput = { time: firstPos, reference: null, orders: [], trades: [], changes: [] }
const output = (changes: readonly BalanceChange[]) => ({ kind: 'Output', output: { ...nothing, changes } }) as const
const posting = (over: Partial<BalanceChange>): BalanceChange => ({
  ...{ user, asset: btc, version: version(1n), available: amount(0n), frozen: amount(0n) },
  ...{ deltaAvailable: amount(0n), deltaFrozen: amount(0n), reason: 'Deposit', ref: 77n },
  ...over,
})
const at = (): EnginePosition => ({
  epoch: 7n,
  random: 42n,
  seq: BigInt(Math.min(written, 3)),
  chain: Buffer.alloc(32, 0xab),
})

type Body<R> = R extends LogRecord ? Omit<R, 'pos' | 'at'> : never
const write = async (body: Body<LogRecord>, commandOffset?: bigint): Promise<void> => {
  const topic = names.topics.commands
  const recordPos = pos(firstPos + BigInt(++written))
  const value = encodeLogRecord({ ...body, pos: recordPos, at: at() })
  const offset = commandOffset === undefined ? null : { offset: commandOffset + 1n, metadata: '' }
  await bridge.commitBatch({
    records: [{ topic: names.topics.log, partition: 0, key: null, value, timestampMs: recordPos / 1000n }],
    ...(offset ? { groupOffset: { group: names.groups.bridge, topic, partition: 0, ...offset } } : {}),
  })
}

const settle = (args: readonly string[]): Promise<Ran> =>
  runSettle(stack, { args, env: { STREAM: names.stream, PARTITIONS: `${partitions}` } })
const said = ['--who', 'ann', '--why', 'INC-31: journal disk lost']

const commands = async (): Promise<readonly { readonly offset: bigint; readonly record: CommandRecord }[]> => {
  const records = await kafka.readTail({ topic: names.topics.commands, partition: 0, count: 100 })
  return records.map(({ offset, value }) => ({ offset, record: decodeCommandRecord(value) }))
}

/** Runs a command while what stands for a bridge answers it. */
const answered = async (args: readonly string[], answer: (record: CommandRecord) => Body<LogRecord>): Promise<Ran> => {
  const before = (await commands()).length
  const running = settle(args)
  const deadline = Date.now() + 60_000
  for (;;) {
    const sent = (await commands()).at(before)
    if (sent) {
      await write(answer(sent.record), sent.offset)
      return running
    }
    if (Date.now() > deadline) throw new Error('no command within 60 s')
  }
}

describe('settle gap', () => {
  const gap = ['gap', '--after', '7/42/3', ...said]

  test('shows what it would do, and sends nothing', async () => {
    const shown = await settle([...gap, '--dry-run'])
    expect(shown).toMatchObject({ exitCode: 0, err: '' })
    expect(shown.out).toContain('seq 4 of session 7/42 and what follows')
    expect(await commands()).toEqual([])
  })

  test('is refused by the bridge: exit 3; the same id tells so again', async () => {
    const args = [...gap, '--id', 'gap-1']
    const shown = await answered(args, ({ command }) => ({
      kind: 'Refused',
      command,
      reason: 'the engine delivers it',
    }))
    expect(shown.exitCode).toBe(3)
    expect(shown.out).toContain('REFUSED by the bridge: the engine delivers it')
    const again = await settle(args)
    expect(again.exitCode).toBe(3)
    expect(again.out).toContain('command gap-1 was sent before, by ann')
    expect(await commands()).toHaveLength(1)
  })

  test('waits no longer than it is told', async () => {
    const shown = await settle([...gap, '--id', 'gap-2', '--wait-ms', '500'])
    expect(shown.exitCode).toBe(1)
    expect(shown.out).toContain('no answer within 500 ms')
  })

  test('waits for one that no bridge has come to yet', async () => {
    const shown = await settle([...gap, '--id', 'gap-3'])
    expect(shown.exitCode).toBe(3)
    expect(shown.err).toContain('command gap-2 of ann')
  })
})

test('settle correct takes the cell from the store and the rest from the log', async () => {
  const values = ['--version', '9', '--available', '150000000', '--frozen', '0']
  const args = ['correct', '--user', '42', '--asset', 'BTC', ...values, ...said]
  const wrong = await settle(args.map(each => (each === '150000000' ? '15000000' : each)))
  expect(wrong.exitCode).toBe(3)
  expect(wrong.err).toContain('--version 9 --available 150000000 --frozen 0')
  const dry = await settle([...args, '--dry-run'])
  expect(dry.err).toBe('')
  expect(dry.out).toContain('External flow that it adds: 0 (0.00000000 BTC)')
  const shown = await answered(args, record => {
    if (record.kind !== 'Correct') throw new Error(`a ${record.kind}`)
    return { kind: 'Correction', command: record.command, correction: record.correction }
  })
  expect(shown.out).toContain('is corrected to version 9 (+30000000 available, -30000000 frozen)')
  expect(shown.exitCode).toBe(0)
  const twice = await settle(args)
  expect(twice.exitCode).toBe(3)
  expect(twice.err).toContain('the log leads to version 11, which settle has not applied yet')
})

test('settle admit finds the output by its pos', async () => {
  const args = ['admit', '--pos', `${firstPos + 3n}`, ...said]
  const dry = await settle([...args, '--dry-run', '--json'])
  expect(JSON.parse(dry.out)).toMatchObject({ sent: 'no', facts: { refusal: { kind: 'NotZero' }, seq: '3' } })
  const shown = await answered(args, record => {
    if (record.kind !== 'Admit') throw new Error(`a ${record.kind}`)
    return { kind: 'Admit', command: record.command, refusedPos: record.refusedPos }
  })
  expect(shown).toMatchObject({ exitCode: 0 })
  const none = await settle(['admit', '--pos', `${firstPos + 500n}`, ...said])
  expect(none.exitCode).toBe(3)
  expect(none.err).toContain('no record of')
})

test('two at once: one is sent, the other says what to do', async () => {
  const before = (await commands()).length
  const ids = ['admit-1', 'admit-2']
  const args = ['admit', '--pos', `${firstPos + 3n}`, ...said, '--wait-ms', '0']
  const shown = await Promise.all(ids.map(id => settle([...args, '--id', id])))
  expect((await commands()).length).toBe(before + 1)
  const failed = shown.find(({ exitCode }) => exitCode !== 0)
  expect(failed?.err).toMatch(/run the same command again with --id|waits for a bridge/)
})
