import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LogRecord } from '../../core/events.ts'
import { type Stack, up } from '../../local/stack.ts'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { namesOf } from '../../runtime/names.ts'
import { decodeLogRecord } from '../../schemas/codec.ts'
import { demoIntervals } from '../../sim/demo/intervals.ts'
import type { Pipeline } from '../../sim/pipeline/pipeline.ts'
import { runEntry } from '../../sim/pipeline/run-entry.ts'
import { ownEnvironment, serviceEntries } from '../../sim/pipeline/services.ts'
import { readTopic } from '../pipeline/read-topic.ts'
import { newPipeline, newStream } from '../pipeline/run-to-the-end.ts'

const outputs = 3000
const settleMs = 120_000
const soon = { timeout: 60_000, interval: 100 }
const operator = ['--who', 'ann', '--why', 'INC-4: the disk of the broker was lost']

let stack: Stack
let kafka: KafkaPort
beforeAll(async () => {
  stack = await up()
  const log = pino({ level: 'silent' })
  kafka = openKafka({
    brokers: stack.kafka.brokers,
    clientId: 'gap',
    log,
    sessionTimeoutMs: 6000,
    heartbeatIntervalMs: 500,
  })
})
afterAll(() => kafka.close())

const readLog = async (topic: string): Promise<LogRecord[]> =>
  (await readTopic(kafka, topic)).map(({ value }) => decodeLogRecord(value))
const settle = (pipeline: Pipeline, args: readonly string[]) => pipeline.settle(args, { withinMs: settleMs })

test('a log that was lost goes on from what the engine still has, once an operator says so', async () => {
  const stream = newStream('gap')
  const { topics } = namesOf(stream)
  const pipeline = await newPipeline(stack, {
    stream,
    engine: { ENGINE_ORDERS: `${outputs}`, ENGINE_ACK_MARGIN: '500', ENGINE_SEGMENT_BYTES: '65536' },
  })
  try {
    await pipeline.init()
    await pipeline.start('engine')
    await pipeline.start('bridge')
    await pipeline.engine.done
    const last = async (): Promise<bigint> => (await readLog(topics.log)).at(-1)?.at.seq ?? 0n
    const all = BigInt(pipeline.engine.progress.outputs)
    await expect.poll(last, soon).toBe(all)
    await pipeline.stop('bridge')

    // Kafka is lost, all of it, and the engine keeps only its margin.
    await kafka.admin.deleteTopics([topics.log])
    await expect.poll(() => kafka.admin.partitionCounts([topics.log]), soon).toEqual(new Map())
    await pipeline.init()
    const own = ownEnvironment('bridge', { intervals: demoIntervals(stack), engine: pipeline.engine.addresses })
    const env = { ...pipeline.env, ...own }
    const ended = await runEntry(serviceEntries.bridge, { args: [], env, withinMs: settleMs })
    expect([ended.exitCode, ended.stdout]).toEqual([3, expect.stringContaining('settle gap --after 0/0/0')])

    // Sent while no bridge runs: it stands in the topic. Sent again with its id it is not sent twice.
    const gap = ['gap', '--after', '0/0/0', '--id', 'gap-1', ...operator]
    const dry = await settle(pipeline, [...gap, '--dry-run'])
    expect([dry.exitCode, (await kafka.bounds(topics.commands)).get(0)?.end]).toEqual([0, 0n])
    await settle(pipeline, [...gap, '--wait-ms', '0'])
    await pipeline.start('bridge')
    const done = await settle(pipeline, gap)
    expect([done.exitCode, done.stdout]).toEqual([0, expect.stringContaining('gap-1')])
    await expect.poll(last, soon).toBe(all)

    // An output is admitted once, however often it is asked for.
    const { pos } = (await readLog(topics.log)).findLast(({ kind }) => kind === 'Output') as LogRecord
    const admit = ['admit', '--pos', `${pos}`, '--even-if-it-passes', '--id', 'admit-1', ...operator]
    for (const _ of [1, 2]) expect((await settle(pipeline, admit)).exitCode).toBe(0)
    const other = await settle(pipeline, [...admit.slice(0, 2), '1', ...admit.slice(3)])
    expect(other.exitCode).toBe(2)
    await pipeline.stop('bridge')

    const log = await readLog(topics.log)
    const [first, second] = log
    expect(first).toMatchObject({
      kind: 'Gap',
      command: { id: 'gap-1', who: 'ann' },
      lostAfter: { epoch: 0n, seq: 0n },
    })
    expect(second?.at.seq).toBe((first?.at.seq ?? 0n) + 1n)
    const answers = log.filter(record => 'command' in record)
    expect(answers.map(({ kind }) => kind)).toEqual(['Gap', 'Admit'])
    expect(answers[1]).toMatchObject({ refusedPos: pos, command: { id: 'admit-1', why: operator[3] } })
  } finally {
    await pipeline.stopAll().catch(() => {})
  }
})
