import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'cassandra-driver'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clean, down, type Stack, startServer, status, stopServer, up } from '../../local/stack.ts'

// A stack of its own: this test kills its servers.
const env = { ...process.env, SETTLE_DATA: mkdtempSync(join(tmpdir(), 'settle-int-stack-')), STACK: 'local' }
const servers = ['kafka', 'cassandra'] as const
let stack: Stack<'kafka' | 'cassandra'>

beforeAll(async () => {
  stack = await up({ env, servers })
})
afterAll(async () => {
  await clean({ env })
})

async function topics(): Promise<string[]> {
  const admin = new Kafka({ brokers: stack.kafka.brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const known = await admin.listTopics()
    if (!known.includes('kept')) await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 1 }] })
    return known
  } finally {
    await admin.disconnect()
  }
}

async function keyspaces(): Promise<string[]> {
  const { contactPoints, port, localDataCenter } = stack.cassandra
  const client = new Client({ contactPoints, localDataCenter, protocolOptions: { port } })
  try {
    const { rows } = await client.execute('SELECT keyspace_name FROM system_schema.keyspaces')
    await client.execute(
      "CREATE KEYSPACE IF NOT EXISTS kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    )
    return rows.map(row => row['keyspace_name'] as string)
  } finally {
    await client.shutdown()
  }
}

const pids = (of: Stack<never>) => of.servers.map(({ process }) => process?.pid)

test('a second up finds the first', async () => {
  const again = await up({ env, servers })
  expect(again.started).toEqual([])
  expect(pids(again)).toEqual(pids(stack))
})

test('a killed server comes back alone, with its data at its ports', async () => {
  expect(await topics()).not.toContain('kept')
  expect(await keyspaces()).not.toContain('kept')
  for (const id of ['kafka', 'cassandra-1']) {
    await stopServer(id, { env, with: 'SIGKILL' })
    expect(await status({ env })).toContainEqual(expect.objectContaining({ id, state: 'stopped' }))
    await startServer(id, { env })
  }
  expect(await topics()).toContain('kept')
  expect(await keyspaces()).toContain('kept')
})

test('what died by itself is started again by up, and only that', async () => {
  const before = await up({ env, servers })
  const [kafka, cassandra] = pids(before) as [number, number]
  process.kill(kafka, 'SIGKILL')
  await expect.poll(() => status({ env })).toContainEqual(expect.objectContaining({ id: 'kafka', state: 'died' }))
  const after = await up({ env, servers })
  expect(after.started).toEqual(['kafka'])
  expect(after.kafka).toEqual(stack.kafka)
  expect(pids(after)[1]).toBe(cassandra)
  expect(await topics()).toContain('kept')
})

test('after down nothing runs, and up goes on with the data', async () => {
  expect((await down({ env })).sort()).toEqual(['cassandra-1', 'kafka'])
  expect((await status({ env })).map(({ state }) => state)).toEqual(['stopped', 'stopped'])
  stack = await up({ env, servers })
  expect(await topics()).toContain('kept')
  expect(await keyspaces()).toContain('kept')
})
