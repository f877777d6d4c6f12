import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, types } from 'cassandra-driver'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clean, freezeServer, startServer, status, stopServer, up } from '../../local/stack.ts'

const { localQuorum } = types.consistencies
// A stack of its own: this test kills its nodes.
const env = {
  ...process.env,
  SETTLE_DATA: mkdtempSync(join(tmpdir(), 'settle-int-nodes-')),
  STACK: 'local',
  CASSANDRA_NODES: '3',
  CASSANDRA_HEAP_MB: '320',
}
const nodes = ['cassandra-1', 'cassandra-2', 'cassandra-3']
let stack: Awaited<ReturnType<typeof up<'cassandra'>>>
let client: Client

beforeAll(async () => {
  stack = await up({ env, servers: ['cassandra'] })
  const { contactPoints, port, localDataCenter } = stack.cassandra
  client = new Client({
    ...{ contactPoints, localDataCenter, protocolOptions: { port } },
    // A node that is frozen keeps its connections: the next one is asked instead.
    socketOptions: { readTimeout: 3000, connectTimeout: 3000 },
    queryOptions: { consistency: localQuorum, isIdempotent: true },
  })
  await client.execute(
    "CREATE KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3} AND durable_writes = true",
  )
  await client.execute('CREATE TABLE k.t (id int PRIMARY KEY, v int)')
})
afterAll(async () => {
  await client?.shutdown()
  await clean({ env })
})

let writes = 0
const writeAndRead = async (): Promise<void> => {
  const v = ++writes
  // Many keys: each node is the first replica of some.
  for (let id = 0; id < 6; id++)
    await client.execute('INSERT INTO k.t (id, v) VALUES (?, ?)', [id, v], { prepare: true })
  const { rows } = await client.execute('SELECT v FROM k.t WHERE id = 3')
  expect(rows[0]?.['v']).toBe(v)
}
const quorumIs = async (wanted: 'there' | 'gone'): Promise<void> => {
  await expect
    .poll(
      () =>
        writeAndRead().then(
          () => 'there',
          () => 'gone',
        ),
      { timeout: 90_000, interval: 200 },
    )
    .toBe(wanted)
}

test('three nodes serve as one ring, and a second up finds them', async () => {
  expect(stack.started).toEqual(nodes)
  expect((await status({ env })).map(({ id, state }) => [id, state])).toEqual(nodes.map(id => [id, 'serving']))
  expect((await up({ env, servers: ['cassandra'] })).started).toEqual([])
  await writeAndRead()
})

test('a quorum outlives one node that is frozen or killed, and not two', { timeout: 300_000 }, async () => {
  const thaw = freezeServer('cassandra-1', { env })
  await quorumIs('there')
  thaw()
  await stopServer('cassandra-1', { env, with: 'SIGKILL' })
  await quorumIs('there')
  await stopServer('cassandra-2', { env, with: 'SIGKILL' })
  await quorumIs('gone')
  // One alone: the other stays down.
  await startServer('cassandra-2', { env })
  await quorumIs('there')
  expect((await status({ env })).map(({ state }) => state)).toEqual(['stopped', 'serving', 'serving'])
  await startServer('cassandra-1', { env })
  await quorumIs('there')
})
