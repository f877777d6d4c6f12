import { archiveTables, type ArchiveTable, type ArchiveTopic } from './archive-tables.ts'

/** Which partition of which topic of which stream. */
export type ArchivePartition = {
  readonly stream: string
  readonly topic: ArchiveTopic
  readonly partition: number
  /** How many the topic has: another number is another topic, and never lands between the files of this one. */
  readonly partitions: number
}

/** A file's place: a partition, one table of it or its sidecars, and window k. */
export type ArchivePlace = ArchivePartition & {
  readonly table: ArchiveTable | 'windows'
  /** k: the window is [k·W, (k+1)·W) of pos. */
  readonly window: bigint
}

/** k in file names has the digits of the greatest pos in windows of a second, so that names sort by time. */
const windowDigits = 13

/** The window that `pos` is in, for windows of `windowMs` milliseconds. */
export const windowOf = (pos: bigint, windowMs: number): bigint => pos / (BigInt(windowMs) * 1000n)

/** First pos (µs) of window k, which is also the first past window k − 1. */
export const windowStart = (window: bigint, windowMs: number): bigint => window * BigInt(windowMs) * 1000n

/** The folder of one table (or `windows`, the sidecars) of one partition, as names below the archive's folder. */
export const archiveFolder = ({
  stream,
  topic,
  partition,
  partitions,
  table,
}: Omit<ArchivePlace, 'window'>): readonly [string, string, string, string] => [
  stream,
  topic,
  table,
  partitionText({ partition, partitions }),
]

/** `demo.user.outputs.trades.03-of-12.0000000495123.csv`; sidecars are `….windows.….json`. */
export const archiveFileName = (place: ArchivePlace): string => {
  const { stream, topic, table, window } = place
  const k = window.toString().padStart(windowDigits, '0')
  return `${stream}.${topic}.${table}.${partitionText(place)}.${k}.${extension(table)}`
}

/** What a file's name says, or null when it is not the name of a finished file of an archive. */
export const parseArchiveFileName = (name: string): ArchivePlace | null => {
  const match =
    /^([a-z][a-z0-9_]*)\.(user\.outputs|engine\.outputs)\.([a-z]+)\.(\d+)-of-(\d+)\.(\d{13})\.(csv|json)$/.exec(name)
  if (!match) return null
  const [, stream, topic, table, partition, partitions, window] = match as unknown as [
    string,
    string,
    ArchiveTopic,
    ArchiveTable | 'windows',
    string,
    string,
    string,
  ]
  const tables: readonly string[] = archiveTables[topic]
  if (table !== 'windows' && !tables.includes(table)) return null
  const place = {
    stream,
    topic,
    table,
    partition: Number(partition),
    partitions: Number(partitions),
    window: BigInt(window),
  }
  return place.partition < place.partitions && archiveFileName(place) === name ? place : null
}

const extension = (table: ArchivePlace['table']): string => (table === 'windows' ? 'json' : 'csv')

const partitionText = ({
  partition,
  partitions,
}: {
  readonly partition: number
  readonly partitions: number
}): string => `${String(partition).padStart(Math.max(2, String(partitions - 1).length), '0')}-of-${partitions}`
