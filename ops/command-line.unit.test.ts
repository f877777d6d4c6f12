import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { CqlFailure } from '../runtime/cql/port.ts'
import { KafkaFailure } from '../runtime/kafka/port.ts'
import { SqlFailure } from '../runtime/starrocks/sql-port.ts'
import { refuse } from '../runtime/stop.ts'
import type { OpsCommand } from './command.ts'
import { runTold } from './testing/run-told.ts'

const failing =
  (error: Error): OpsCommand =>
  () =>
    new Command('fail').option('--json').action(() => Promise.reject(error))

describe('arguments', () => {
  test('without a command, help and exit 2; with --help, help and exit 0', async () => {
    const bare = await runTold([])
    expect(bare.exitCode).toBe(2)
    expect(bare.err).toContain('Usage: settle')
    const helped = await runTold(['--help'])
    expect(helped.exitCode).toBe(0)
    for (const name of ['init', 'status', 'verify', 'archive', 'gap', 'correct', 'admit', 'redrive', 'replay'])
      expect(helped.out).toContain(`  ${name} `)
  })

  test.each([
    [['dance'], "unknown command 'dance'"],
    [['init', '--fast'], "unknown option '--fast'"],
    [['verify', '--wait-ms', 'soon'], 'must be a whole number of milliseconds'],
    [['verify', '--wait-ms', '3600001'], 'at most 3600000'],
  ])('%j is wrong', async (args, problem) => {
    const { exitCode, err } = await runTold(args)
    expect(err).toContain(problem)
    expect(exitCode).toBe(2)
  })
})

test('settings are told all together', async () => {
  const { exitCode, err } = await runTold(['verify'], { env: { STREAM: 'A b', PARTITIONS: '0' } })
  expect(exitCode).toBe(2)
  for (const each of ['STREAM="A b"', 'PARTITIONS="0"', 'KAFKA_BROKERS is not set', 'ARCHIVE_DIR is not set'])
    expect(err).toContain(each)
})

describe('an error says what and ends with its code', () => {
  test.each([
    [refuse('other-log', 'the log is another'), 3, 'other-log', 'the log is another'],
    [new KafkaFailure('retriable', 'no broker'), 1, 'kafka-retriable', 'Kafka: no broker; see that the brokers'],
    [new CqlFailure('refused', 'syntax', 'bad CQL'), 1, 'scylla-refused', 'bad CQL'],
    [new SqlFailure('retriable', 'connection lost'), 1, 'starrocks-retriable', 'connection lost'],
    [new Error('surprise'), 1, 'unexpected', 'surprise'],
  ])('%s', async (error, exitCode, code, message) => {
    const command = failing(error)
    expect(await runTold(['fail'], { command })).toMatchObject({ exitCode, out: '' })
    const told = await runTold(['fail', '--json'], { command })
    expect(told.err).toContain(`settle: `)
    expect(told.err).toContain(message)
    expect(JSON.parse(told.out)).toMatchObject({ error: { code } })
  })
})
