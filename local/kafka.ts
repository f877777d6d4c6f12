import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Kafka, logLevel } from 'kafkajs'
import type { Java } from './machine-check.ts'
import { javaTools, QUICK_JIT_FLAGS, type ServerDriver } from './server-driver.ts'
import { SetupError } from './setup-error.ts'
import type { ServerRecord } from './state-file.ts'

const run = promisify(execFile)
const PROBE_TIMEOUT_MS = 2_000
const FORMAT_TIMEOUT_MS = 60_000
const LARGEST_BATCH_BYTES = 8 * 1024 * 1024
const LOG_CONFIG = join(import.meta.dirname, 'logging', 'kafka.log4j2.properties')

/** What makes one broker serve Settle, here and in docker-compose.yml (a test holds them equal). */
export const BROKER_SETTINGS: Readonly<Record<string, string>> = {
  'auto.create.topics.enable': 'false',
  'message.max.bytes': String(LARGEST_BATCH_BYTES),
  'replica.fetch.max.bytes': String(LARGEST_BATCH_BYTES),
  'default.replication.factor': '1',
  'min.insync.replicas': '1',
  // The log is the truth: nothing of it expires, and neither does the progress of its readers.
  'log.retention.ms': '-1',
  'log.retention.bytes': '-1',
  'offsets.retention.minutes': '2147483647',
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  // One broker needs no 50 partitions of each; fewer are made in a second instead of ten.
  'offsets.topic.num.partitions': '8',
  'transaction.state.log.num.partitions': '8',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  'log.cleaner.dedupe.buffer.size': '16777216',
}

/** One KRaft node, broker and controller at once. */
export const kafka: ServerDriver = {
  server: 'kafka',
  title: 'Kafka 4.1.0',
  jarSet: { name: 'kafka', usualDownloads: 462 },
  startTimeoutMs: 90_000,
  stopTimeoutMs: 20_000,
  usualStartMs: 6_000,
  memoryMb: settings => (settings['heapMb'] ?? 0) + 192,

  async prepare(record, tools) {
    const { java, jarDir } = javaTools(record, tools)
    const config = join(record.dir, 'server.properties')
    mkdirSync(join(record.dir, 'tmp'), { recursive: true })
    writeFileSync(config, serverProperties(record))
    await format(record, { java, jarDir, config })
    return {
      file: java.file,
      args: [
        `-Xms${Math.min(128, record.settings['heapMb'] ?? 0)}m`,
        `-Xmx${record.settings['heapMb']}m`,
        '-XX:+ExitOnOutOfMemoryError',
        ...(record.settings['quickJit'] === 1 ? QUICK_JIT_FLAGS : []),
        `-Djava.io.tmpdir=${join(record.dir, 'tmp')}`,
        `-Dlog4j2.configurationFile=${LOG_CONFIG}`,
        '-cp',
        join(jarDir, '*'),
        'kafka.Kafka',
        config,
      ],
      env: {},
      cwd: record.dir,
    }
  },

  async probe(record) {
    const admin = new Kafka({
      brokers: [`${record.address}:${record.ports['client']}`],
      clientId: 'settle-stack',
      logLevel: logLevel.NOTHING,
      connectionTimeout: PROBE_TIMEOUT_MS,
      requestTimeout: PROBE_TIMEOUT_MS,
      retry: { retries: 0 },
    }).admin()
    try {
      await admin.connect()
      const { brokers, controller } = await admin.describeCluster()
      if (brokers.length !== 1 || controller === null) throw new Error('the broker has not joined its cluster yet')
    } finally {
      await admin.disconnect()
    }
  },
}

function serverProperties(record: ServerRecord): string {
  const { address, ports } = record
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${address}:${ports['controller']}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: [
      `PLAINTEXT://${address}:${ports['client']}`,
      `PROXIED://${address}:${ports['proxied']}`,
      `CONTROLLER://${address}:${ports['controller']}`,
    ].join(),
    // Whoever comes in by PROXIED is told to come again by the proxy, so a client that begins behind it stays there.
    'advertised.listeners': `PLAINTEXT://${address}:${ports['client']},PROXIED://${address}:${ports['proxy']}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': logDir(record),
    'num.network.threads': '2',
    'num.io.threads': '4',
    ...BROKER_SETTINGS,
  }
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

function logDir(record: ServerRecord): string {
  return join(record.dir, 'log')
}

/** Gives the log folder its cluster id, once. A format that was cut off holds nothing yet and is made anew. */
async function format(record: ServerRecord, tools: { java: Java; jarDir: string; config: string }): Promise<void> {
  const done = join(record.dir, 'formatted')
  if (existsSync(done)) return
  rmSync(logDir(record), { recursive: true, force: true })
  // No first character that the tool takes for the start of an option.
  const clusterId = randomBytes(16).toString('base64url').replace(/^-/, '_')
  const args = [
    ...QUICK_JIT_FLAGS,
    `-Dlog4j2.configurationFile=${LOG_CONFIG}`,
    '-cp',
    join(tools.jarDir, '*'),
    'kafka.tools.StorageTool',
    'format',
    '-t',
    clusterId,
    '-c',
    tools.config,
  ]
  try {
    await run(tools.java.file, args, { timeout: FORMAT_TIMEOUT_MS })
  } catch (cause) {
    const said = (cause as { stderr?: string; stdout?: string }).stderr || (cause as { stdout?: string }).stdout || ''
    throw new SetupError(`Kafka's log folder ${logDir(record)} could not be formatted:\n${said.trim()}`, {
      exitCode: 1,
      cause,
    })
  }
  writeFileSync(done, `${clusterId}\n`)
}
