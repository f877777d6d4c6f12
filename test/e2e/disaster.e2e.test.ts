import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clean, serviceEnvironment, type Stack, stopServer, up } from '../../local/stack.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { namesOf } from '../../runtime/names.ts'
import { parseArchiveFileName } from '../../schemas/archive/archive-name.ts'
import { outputsTable } from '../../schemas/archive/outputs-table.ts'
import { decodeSidecar } from '../../schemas/archive/sidecar.ts'
import { readTable } from '../../schemas/archive/table.ts'
import { compareWithEngine } from '../../sim/demo/compare-with-engine.ts'
import { readEngineDump } from '../../sim/demo/engine-dump.ts'
import { demoIntervals } from '../../sim/demo/intervals.ts'
import { Pipeline } from '../../sim/pipeline/pipeline.ts'
import { runEntry } from '../../sim/pipeline/run-entry.ts'
import { ServiceProcess } from '../../sim/pipeline/service-process.ts'
import { ownEnvironment, serviceEntries } from '../../sim/pipeline/services.ts'
import { readTopic } from '../pipeline/read-topic.ts'
import { newPipeline, newStream } from '../pipeline/run-to-the-end.ts'
import { openBroker, openStore } from '../pipeline/stack-clients.ts'

const operator = ['--who', 'ann', '--why', 'INC-35: the machines of Kafka and the stores burned']
const withinMs = 300_000
const soon = { timeout: 300_000, interval: 200 }
const flow = { ENGINE_SEED: '23', ENGINE_USERS: '40', ENGINE_RATE: '150' }
/** However slow the machine is, the disaster comes in the middle of the trading. */
const ordersWithoutEnd = 10_000_000
const ordersAfterDisaster = 1500

type Digests = ReadonlyMap<string, string>
/** Finished files of an archive by their names: of a CSV its bytes, of a sidecar its hash; what was set aside is not in it. */
const digestsIn = async (dir: string, stream: string): Promise<Digests> => {
  const entries = await readdir(join(dir, stream), { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter(entry => entry.isFile() && parseArchiveFileName(entry.name))
  return new Map(
    await Promise.all(
      files.map(async ({ name, parentPath }) => {
        const bytes = await readFile(join(parentPath, name))
        const digest = name.endsWith('.json')
          ? decodeSidecar(bytes, name).hash
          : createHash('sha256').update(bytes).digest('hex')
        return [name, digest] as const
      }),
    ),
  )
}
const windowsOf = (digests: Digests, topic: string): readonly bigint[] =>
  [...digests.keys()]
    .map(name => parseArchiveFileName(name))
    .filter(place => place?.topic === topic && place.table === 'windows')
    .map(place => place?.window ?? 0n)
    .sort((a, b) => (a < b ? -1 : 1))
const upTo = (digests: Digests, window: bigint): Digests =>
  new Map([...digests].filter(([name]) => (parseArchiveFileName(name)?.window ?? window + 1n) <= window))

/** Values of `engine.outputs` as the archive has them. */
const archivedValues = async (dir: string, stream: string): Promise<readonly Buffer[]> => {
  const folder = join(dir, stream, 'engine.outputs', 'outputs', '00-of-1')
  const values: Buffer[] = []
  for (const name of (await readdir(folder)).filter(each => each.endsWith('.csv')).sort())
    for await (const { record } of readTable(outputsTable, [await readFile(join(folder, name))])) values.push(record)
  return values
}

/** At least so many windows of the log are archived. */
const archived = async (dir: string, stream: string, windows: number): Promise<void> => {
  const found = async (): Promise<number> => windowsOf(await digestsIn(dir, stream), 'engine.outputs').length
  await expect.poll(found, soon).toBeGreaterThanOrEqual(windows)
}

describe('Kafka, store and StarRocks are gone', () => {
  const stream = newStream('disaster')
  let root: string
  const envOf = (name: string) => ({ ...process.env, SETTLE_DATA: join(root, name), STACK: 'local' })
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'settle-disaster-'))
  })
  afterAll(async () => {
    for (const name of ['first', 'second']) await clean({ env: envOf(name) }).catch(() => {})
    await rm(root, { recursive: true, force: true })
  })

  const pipelineOn = async (stack: Stack, orders: number): Promise<Pipeline> => {
    const dir = join(root, 'stream')
    await mkdir(dir, { recursive: true })
    const pipeline = new Pipeline({
      ...{ stream, dir, partitions: 4, intervals: demoIntervals(stack), servers: serviceEnvironment(stack) },
      engine: { ENGINE_START_TIME: '2026-01-05T09:30:00Z', ENGINE_ORDERS: `${orders}`, ...flow },
    })
    await pipeline.prepare()
    return pipeline
  }

  /** Beside a whole pipeline on a busy machine it takes its time. */
  const made = async (pipeline: Pipeline): Promise<void> =>
    expect(await pipeline.settle(['init'], { withinMs })).toMatchObject({ exitCode: 0 })

  const destroy = async (stack: Stack): Promise<void> => {
    const env = envOf('first')
    await Promise.all(stack.servers.map(({ id }) => stopServer(id, { env, with: 'SIGKILL' })))
    await clean({ env })
  }

  test('from the CSV files and the engine’s journal alone everything comes back', { timeout: 1_500_000 }, async () => {
    const first = await up({ env: envOf('first') })
    // The machines that take over, empty: started before anything trades, so that it does not wait for them.
    const second = await up({ env: envOf('second') })
    const before = await pipelineOn(first, ordersWithoutEnd)
    const dir = before.archiveDir
    try {
      await made(before)
      await before.startAll()
      await Promise.race([archived(dir, stream, 4), before.failure])
      expect(before.engine.progress.isDone).toBe(false)
      await destroy(first)
    } finally {
      // They have nobody to talk to any more: that they end badly is as it must be.
      await before.stopAll().catch(() => {})
    }
    const atDisaster = await digestsIn(dir, stream)
    const lastWindow = windowsOf(atDisaster, 'engine.outputs').at(-1) as bigint
    const kept = upTo(atDisaster, lastWindow)

    const after = await pipelineOn(second, before.engine.progress.orders + ordersAfterDisaster)
    const kafka = openBroker(second, 'disaster')
    try {
      await made(after)
      const dry = await after.settle(['restore', dir, ...operator, '--dry-run'], { withinMs })
      expect(dry).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('dry run, nothing was written') })
      const restored = await after.settle(['restore', dir, ...operator], { withinMs })
      expect(restored).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('done: the topic holds all') })
      const values = await archivedValues(dir, stream)
      expect((await readTopic(kafka, namesOf(stream).topics.log)).map(({ value }) => value)).toEqual(values)
      expect(await digestsIn(dir, stream)).toEqual(kept)

      // The same engine goes on from its own journal, and trades on.
      await after.startAll()
      await Promise.race([after.engine.done, after.failure])
      expect(after.engine.progress.orders).toBe(before.engine.progress.orders + ordersAfterDisaster)
      const judged = after.settle(['verify', '--wait-ms', `${withinMs}`], { withinMs: 2 * withinMs })
      const verified = await Promise.race([judged, after.failure])
      expect(verified.stdout).toMatch(/^verify: equal$/m)
      expect(verified.stdout).toContain("covers the log's last Output")
      await after.stopAll()
      const store = await openStore(second, stream)
      const { differences } = await compareWithEngine(store, await readEngineDump(after.engine.dumpFile))
      await store.close()
      expect(differences).toEqual([])

      // The log tells of it, and the archive is one chain over the seam.
      const log = await readTopic(kafka, namesOf(stream).topics.log)
      expect(log.slice(0, values.length).map(({ value }) => value)).toEqual(values)
      const proved = await after.settle(['archive', 'verify', dir], { withinMs })
      expect(proved).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/archive of .*: whole up to .*Z\n$/) })
      const atEnd = await digestsIn(dir, stream)
      // What was there has stayed as it was; windows of user.outputs that lagged behind the log's have come to it.
      expect(new Map([...atEnd].filter(([name]) => kept.has(name)))).toEqual(kept)
      await expectAsUninterrupted(after, { atEnd, folder: join(root, 'anew') })
    } finally {
      await after.stopAll().catch(() => {})
      await kafka.close()
    }
  })

  /** An archive that reads the whole log at one go, into an empty folder, makes the same files and chain. */
  const expectAsUninterrupted = async (
    pipeline: Pipeline,
    { atEnd, folder }: { readonly atEnd: Digests; readonly folder: string },
  ): Promise<void> => {
    await mkdir(folder)
    for (const group of ['archive', 'archive-log']) {
      const args = ['replay', '--group', group, '--to', 'start', ...operator, '--wait-ms', '0']
      await expect.poll(async () => (await pipeline.settle(args, { withinMs })).exitCode, soon).toBe(0)
    }
    const { service } = await ServiceProcess.start({
      name: 'archive',
      entry: serviceEntries.archive,
      env: { ...pipeline.env, ARCHIVE_DIR: folder },
      logFile: join(root, 'anew.log'),
      isReady: ({ msg }) => msg === 'started',
      readyWithinMs: withinMs,
    })
    try {
      // It may close one more window than the one that was stopped had come to.
      const common = async (): Promise<Digests> =>
        new Map([...(await digestsIn(folder, stream))].filter(([name]) => atEnd.has(name)))
      await expect.poll(common, soon).toEqual(atEnd)
    } finally {
      await service.stop({ withinMs: 30_000 })
    }
    const ends = new Map(
      [...atEnd.keys()].map(name => [basename(name).replace(/\.\d{13}\..*/, ''), parseArchiveFileName(name)?.window]),
    )
    for (const name of (await digestsIn(folder, stream)).keys())
      if (!atEnd.has(name))
        expect(parseArchiveFileName(name)?.window).toBeGreaterThan(ends.get(name.replace(/\.\d{13}\..*/, '')) ?? 0n)
  }
})

test('an engine that keeps less than the archive lags ends it in TRIMMED, with what is lost', async () => {
  const stack = await up()
  const stream = newStream('trimmed')
  const { topics } = namesOf(stream)
  const pipeline = await newPipeline(stack, {
    stream,
    engine: { ...flow, ENGINE_ORDERS: `${ordersWithoutEnd}`, ENGINE_ACK_MARGIN: '10', ENGINE_SEGMENT_BYTES: '4096' },
  })
  let kafka: KafkaPort | null = null
  try {
    kafka = openBroker(stack, 'trimmed')
    const broker = kafka
    await pipeline.init()
    await pipeline.start('engine')
    for (const name of ['bridge', 'archive'] as const) await pipeline.start(name)
    await archived(pipeline.archiveDir, stream, 2)
    await pipeline.stop('archive')
    // Some hundred outputs that the engine may forget once they are acknowledged, and that no window holds.
    const logEnd = async (): Promise<bigint> => (await broker.bounds(topics.log)).get(0)?.end ?? 0n
    const archivedAt = await logEnd()
    await expect.poll(logEnd, soon).toBeGreaterThan(archivedAt + 300n)
    await pipeline.stop('bridge')
    const all = [topics.log, topics.users, topics.commands, topics.clock]
    await broker.admin.deleteTopics(all)
    await expect.poll(() => broker.admin.partitionCounts(all), soon).toEqual(new Map())
    await pipeline.init()
    const restored = await pipeline.settle(['restore', pipeline.archiveDir, ...operator, '--json'], { withinMs })
    expect(restored).toMatchObject({ exitCode: 0, stderr: '' })
    const { archive } = JSON.parse(restored.stdout) as { readonly archive: { readonly last: { readonly at: string } } }
    const [epoch, random, seq] = archive.last.at.split('/')
    const own = ownEnvironment('bridge', { intervals: demoIntervals(stack), engine: pipeline.engine.addresses })
    const bridge = runEntry(serviceEntries.bridge, { env: { ...pipeline.env, ...own }, withinMs })
    const ended = await Promise.race([bridge, pipeline.failure])
    expect(ended.exitCode).toBe(3)
    expect(ended.stdout).toMatch(
      new RegExp(
        `"code":"trimmed".*no longer keeps what follows session ${epoch}/${random} seq ${seq}, up to session ${epoch}/${random} seq \\d+`,
      ),
    )
    expect(ended.stdout).toContain(`settle gap --after ${epoch}/${random}/${seq}`)
  } finally {
    await pipeline.stopAll().catch(() => {})
    await kafka?.close()
  }
})
