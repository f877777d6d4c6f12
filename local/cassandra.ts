import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Client, policies, types } from 'cassandra-driver'
import { answersAt } from './ports.ts'
import { javaTools, QUICK_JIT_FLAGS, type ServerDriver } from './server-driver.ts'
import type { ServerRecord } from './state-file.ts'

const { consistencies } = types
const PROBE_TIMEOUT_MS = 5_000
const LOG_CONFIG = join(import.meta.dirname, 'logging', 'cassandra.logback.xml')
const DIRECTORIES = ['data', 'commitlog', 'hints', 'saved_caches', 'cdc_raw', 'tmp'] as const

/** What SimpleSnitch calls the one data center that there is. */
export const LOCAL_DATA_CENTER = 'datacenter1'

/** Nodes of one ring on 127.0.0.1, 127.0.0.2, … with the same ports; one node unless a test of quorums wants three. */
export const cassandra: ServerDriver = {
  server: 'cassandra',
  title: 'Cassandra 5.0.5',
  jarSet: { name: 'cassandra', usualDownloads: 500 },
  startTimeoutMs: 150_000,
  stopTimeoutMs: 30_000,
  usualStartMs: 14_000,
  memoryMb: settings => (settings['heapMb'] ?? 0) + 640,

  async prepare(record, tools) {
    const { java, jarDir } = javaTools(record, tools)
    for (const name of DIRECTORIES) mkdirSync(join(record.dir, name), { recursive: true })
    const config = join(record.dir, 'cassandra.yaml')
    // JSON is YAML.
    writeFileSync(config, `${JSON.stringify(nodeConfig(record, tools.peers), null, 2)}\n`)
    return {
      file: java.file,
      args: [...javaFlags(record, java.major, config), '-cp', join(jarDir, '*'), DAEMON],
      env: {},
      cwd: record.dir,
      ...(isRing(record) ? { timerSlackUs: RING_TIMER_SLACK_US } : {}),
    }
  },

  async probe(record) {
    await query(record, 'SELECT release_version FROM system.local', consistencies.one)
  },

  async probeTogether(records) {
    // A table of three replicas, which every ring has. Each node must find all of them alive.
    const wanted = records.length >= 3 ? consistencies.all : consistencies.one
    for (const record of records) await query(record, 'SELECT * FROM system_distributed.repair_history LIMIT 1', wanted)
  },
}

/** One query through this very node. */
async function query(record: ServerRecord, cql: string, consistency: number): Promise<void> {
  const port = record.ports['cql'] as number
  // The driver is slow to give up on a port that is closed.
  if (!(await answersAt(port, record.address, { timeoutMs: PROBE_TIMEOUT_MS }))) throw new Error('no connection yet')
  const { AllowListPolicy, RoundRobinPolicy } = policies.loadBalancing
  const client = new Client({
    contactPoints: [record.address],
    protocolOptions: { port },
    localDataCenter: LOCAL_DATA_CENTER,
    policies: { loadBalancing: new AllowListPolicy(new RoundRobinPolicy(), [`${record.address}:${port}`]) },
    pooling: { coreConnectionsPerHost: { '0': 1 } },
    socketOptions: { connectTimeout: PROBE_TIMEOUT_MS, readTimeout: PROBE_TIMEOUT_MS },
  })
  try {
    await client.connect()
    await client.execute(cql, [], { consistency })
  } finally {
    await client.shutdown()
  }
}

/**
 * A node with little to do has a worker that sleeps 10 µs, looks for work and sleeps again. Where waking up is dear, as in
 * a virtual machine, that is a third of a core a node; woken a millisecond late it is next to nothing. A node alone is
 * left as it is: a request that comes when that worker sleeps waits for it.
 */
const RING_TIMER_SLACK_US = 1_000

const isRing = ({ settings }: ServerRecord): boolean => (settings['nodes'] ?? 1) > 1

const DAEMON = 'org.apache.cassandra.service.CassandraDaemon'

/** `nodes` tokens at equal distances; a node alone has 0 (the least token of all is not allowed). */
export function initialToken(node: number, nodes: number): string {
  return String((2n ** 63n * BigInt(2 * node - 1 - nodes)) / BigInt(nodes))
}

function nodeConfig(record: ServerRecord, peers: readonly ServerRecord[]): Record<string, unknown> {
  return {
    cluster_name: 'settle',
    num_tokens: 1,
    initial_token: initialToken(record.node, record.settings['nodes'] ?? 1),
    // The nodes of a ring start together and empty: there is nothing to stream from one to the other.
    auto_bootstrap: false,
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    endpoint_snitch: 'SimpleSnitch',
    seed_provider: [
      {
        class_name: 'org.apache.cassandra.locator.SimpleSeedProvider',
        // All of them: whoever is no seed gives up when no seed answers at once, and they start at the same time.
        parameters: [{ seeds: peers.map(({ address, ports }) => `${address}:${ports['storage']}`).join(',') }],
      },
    ],
    listen_address: record.address,
    rpc_address: record.address,
    storage_port: record.ports['storage'],
    native_transport_port: record.ports['cql'],
    data_file_directories: [join(record.dir, 'data')],
    commitlog_directory: join(record.dir, 'commitlog'),
    hints_directory: join(record.dir, 'hints'),
    saved_caches_directory: join(record.dir, 'saved_caches'),
    cdc_raw_directory: join(record.dir, 'cdc_raw'),
    commitlog_sync: 'periodic',
    commitlog_sync_period: `${record.settings['commitlogSyncPeriodMs']}ms`,
    commitlog_segment_size: '32MiB',
    commitlog_total_space: '512MiB',
    // ScyllaDB's limits of a batch; Cassandra's own (5 KiB and 50 KiB) are for batches over many partitions.
    batch_size_warn_threshold: '128KiB',
    batch_size_fail_threshold: '1024KiB',
    // A small heap: rows that wait to be flushed live outside of it, in tries.
    memtable_allocation_type: 'offheap_objects',
    memtable: { configurations: { default: { class_name: 'TrieMemtable' } } },
    memtable_heap_space: '128MiB',
    memtable_offheap_space: '128MiB',
    file_cache_size: '64MiB',
    key_cache_size: '16MiB',
    networking_cache_size: '32MiB',
    concurrent_reads: 16,
    concurrent_writes: 16,
    concurrent_compactors: 1,
    compaction_throughput: '32MiB/s',
    // Two cores that are busy with everything else: a slow answer is better than none.
    read_request_timeout: '10s',
    range_request_timeout: '30s',
    write_request_timeout: '10s',
    request_timeout: '10s',
    auto_snapshot: false,
  }
}

function javaFlags(record: ServerRecord, javaMajor: number, config: string): string[] {
  const heap = `${record.settings['heapMb']}m`
  return [
    `-Xms${heap}`,
    `-Xmx${heap}`,
    '-XX:+ExitOnOutOfMemoryError',
    ...(isRing(record) ? QUICK_JIT_FLAGS : []),
    ...properties({
      'jdk.attach.allowAttachSelf': 'true',
      'io.netty.tryReflectionSetAccessible': 'true',
      'java.io.tmpdir': join(record.dir, 'tmp'),
      'logback.configurationFile': LOG_CONFIG,
      'cassandra.config': pathToFileURL(config).href,
      'cassandra.storagedir': record.dir,
      'cassandra.logdir': record.dir,
      'cassandra-foreground': 'yes',
      'cassandra.skip_wait_for_gossip_to_settle': '0',
      'cassandra.ring_delay_ms': '0',
      'cassandra.superuser_setup_delay_ms': '0',
      // Cassandra installs a security manager, which newer Javas must be told to allow.
      ...(javaMajor >= 18 ? { 'java.security.manager': 'allow' } : {}),
    }),
    ...EXPORTS.flatMap(name => ['--add-exports', `${name}=ALL-UNNAMED`]),
    ...OPENS.flatMap(name => ['--add-opens', `${name}=ALL-UNNAMED`]),
  ]
}

function properties(values: Record<string, string>): string[] {
  return Object.entries(values).map(([key, value]) => `-D${key}=${value}`)
}

/** What Cassandra 5.0 reaches into on Java 17. */
const EXPORTS = [
  'java.base/jdk.internal.misc',
  'java.base/jdk.internal.ref',
  'java.base/java.lang.ref',
  'java.management.rmi/com.sun.jmx.remote.internal.rmi',
  'java.management/com.sun.jmx.remote.security',
  'java.rmi/sun.rmi.registry',
  'java.rmi/sun.rmi.server',
  'java.sql/java.sql',
  'jdk.unsupported/sun.misc',
  'jdk.compiler/com.sun.tools.javac.file',
  'jdk.attach/sun.tools.attach',
]
const OPENS = [
  'java.base/java.lang',
  'java.base/java.lang.module',
  'java.base/java.lang.reflect',
  'java.base/java.io',
  'java.base/java.nio',
  'java.base/java.util',
  'java.base/sun.nio.ch',
  'java.base/jdk.internal.loader',
  'java.base/jdk.internal.ref',
  'java.base/jdk.internal.reflect',
  'java.base/jdk.internal.math',
  'java.base/jdk.internal.module',
  'java.base/jdk.internal.util.jar',
  'jdk.management/com.sun.management.internal',
  'jdk.compiler/com.sun.tools.javac',
]
