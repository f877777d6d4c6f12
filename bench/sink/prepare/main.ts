import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { UserRecord } from '../../../core/events.ts'
import { decodeUserRecord } from '../../../schemas/codec.ts'
import { Batch, type ProgressOwner } from '../../../sink-starrocks/load/batch.ts'
import { DisplayUnits } from '../../../sink-starrocks/load/display-units.ts'
import { rowsOf } from '../../../sink-starrocks/load/rows.ts'
import { loadSettings } from '../../../sink-starrocks/load/settings.ts'
import { exchangeSize } from '../../settle/exchange.ts'
import { openBenchKafka } from '../../settle/places.ts'
import { serveParent } from '../../worker.ts'
import type { PreparedFile } from '../prepared-file.ts'

/** Writes what `user.outputs` has gained into a new folder, as the bodies that load would send. */
export type PrepareQuestion = { readonly dir: string }
export type PrepareAnswer = { readonly files: readonly PreparedFile[] }

const [, , brokers = '', topic = ''] = process.argv
const maxBytes = 256 * 1024
const mostRows = loadSettings.FLUSH_ROWS.parse(undefined)
const mostBytes = loadSettings.FLUSH_BYTES.parse(undefined)

type Partition = { readonly owner: ProgressOwner; read: bigint; waiting: UserRecord[] }

const kafka = openBenchKafka(brokers.split(','))
const fetcher = kafka.openFetcher()
const units = new DisplayUnits()
const partitions = Array.from({ length: exchangeSize.partitions }, (_, partition): Partition => {
  return { owner: { partition, commit: async () => {} }, read: 0n, waiting: [] }
})

/** The next record of a partition, or null at its end. */
const next = async (from: Partition, end: bigint): Promise<UserRecord | null> => {
  while (from.waiting.length === 0) {
    if (from.read >= end) return null
    const { records, next } = await fetcher.read({
      topic,
      partition: from.owner.partition,
      offset: from.read,
      maxBytes,
    })
    from.read = next
    from.waiting = records.map(({ value }) => decodeUserRecord(value)).toReversed()
  }
  return from.waiting.pop() ?? null
}

/** All partitions a record at a time, as they come to load, which waits for all of them alike. */
const records = async function* (): AsyncIterable<{ readonly owner: ProgressOwner; readonly record: UserRecord }> {
  const bounds = await kafka.bounds(topic)
  for (let left = [...partitions]; left.length > 0; )
    for (const each of left) {
      const record = await next(each, bounds.get(each.owner.partition)?.end ?? 0n)
      if (record) yield { owner: each.owner, record }
      else left = left.filter(other => other !== each)
    }
}

serveParent({}, async ({ dir }: PrepareQuestion): Promise<PrepareAnswer> => {
  const files: PreparedFile[] = []
  let batch = new Batch()
  const flush = async (): Promise<void> => {
    for (const table of batch.tables) {
      const { body, rows, form } = batch.bodyOf(table)
      const path = join(dir, `${files.length}.${table}.csv`)
      await writeFile(path, body)
      files.push({ path, table, rows, form, bytes: body.length })
    }
    batch = new Batch()
  }
  await mkdir(dir, { recursive: true })
  for await (const { owner, record } of records()) {
    batch.add(owner, { offset: 0n, n: record.n, pos: record.pos }, rowsOf(record, units))
    if (batch.rows >= mostRows || batch.bytes >= mostBytes) await flush()
  }
  await flush()
  return { files }
})
