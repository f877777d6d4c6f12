import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { streamName } from '../../runtime/names.ts'
import { Stop } from '../../runtime/stop.ts'
import { type ArchivePartition, archiveFolder, parseArchiveFileName } from '../../schemas/archive/archive-name.ts'
import { archiveTables, type ArchiveTable, type ArchiveTopic } from '../../schemas/archive/archive-tables.ts'
import { namesIn, unreadable } from './archive-files.ts'
import type { OnFinding } from './finding.ts'

/** What lies in one partition's folders: windows by table, ascending, without a look into any file. */
export type PartitionFolders = {
  readonly partition: ArchivePartition
  readonly windows: Readonly<Record<ArchiveTable | 'windows', readonly bigint[]>>
}

export type Survey = {
  readonly log: PartitionFolders
  /** By partition, all P of them, also those without a file. */
  readonly users: readonly PartitionFolders[]
  /** Parts: what an instance is writing, or left behind. */
  readonly unfinished: number
}

/**
 * The stream whose archive a folder is; `wanted`: as the caller says.
 * @throws Stop `archive-no-stream` when there is none, or several and nobody says which
 */
export const streamIn = async (dir: string, wanted: string | undefined): Promise<string> => {
  const entries = await readdir(dir, { withFileTypes: true }).catch((error: unknown) => {
    throw new Stop({
      code: 'archive-unreadable',
      reason: 'usage',
      message: `${dir} can't be read: ${error instanceof Error ? error.message : String(error)}; give the folder that the archive calls ARCHIVE_DIR`,
      cause: error,
    })
  })
  const streams = entries
    .filter(entry => entry.isDirectory() && streamName.safeParse(entry.name).success)
    .map(({ name }) => name)
  const [only, ...more] = wanted === undefined ? streams : streams.filter(name => name === wanted)
  if (only !== undefined && more.length === 0) return only
  throw new Stop({
    code: 'archive-no-stream',
    reason: 'usage',
    message:
      only === undefined
        ? `${dir} holds no archive${wanted === undefined ? '' : ` of stream ${wanted}`}; give the folder that the archive calls ARCHIVE_DIR, which holds one folder per stream${streams.length > 0 ? `, here: ${streams.join(', ')}` : ''}`
        : `${dir} holds archives of ${streams.join(', ')}: say which with --stream`,
    context: { dir, streams },
  })
}

/** Looks at every name below the stream's folder; what does not belong there is told. @throws Stop `archive-unreadable` */
export const survey = async (dir: string, stream: string, onFinding: OnFinding): Promise<Survey> => {
  const look = new Look(dir, stream, onFinding)
  const topics = await look.folders([stream], name => Object.hasOwn(archiveTables, name))
  const log = await look.topic('engine.outputs', topics.includes('engine.outputs'))
  const users = await look.topic('user.outputs', topics.includes('user.outputs'))
  return { log: log[0] ?? look.empty('engine.outputs', 0, 1), users, unfinished: look.unfinished }
}

class Look {
  readonly #dir: string
  readonly #stream: string
  readonly #onFinding: OnFinding
  unfinished = 0

  constructor(dir: string, stream: string, onFinding: OnFinding) {
    this.#dir = dir
    this.#stream = stream
    this.#onFinding = onFinding
  }

  empty(topic: ArchiveTopic, partition: number, partitions: number): PartitionFolders {
    const windows = { trades: [], orders: [], ledger: [], reference: [], outputs: [], windows: [] }
    return { partition: { stream: this.#stream, topic, partition, partitions }, windows }
  }

  /** Names of the folders in one; everything else there is told. */
  async folders(path: readonly string[], belongs: (name: string) => boolean): Promise<readonly string[]> {
    const folder = join(this.#dir, ...path)
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      throw unreadable(folder, error)
    })
    const right = entries.filter(entry => entry.isDirectory() && belongs(entry.name)).map(({ name }) => name)
    for (const { name } of entries)
      if (!right.includes(name)) this.#foreign([...path, name], 'no folder of that name belongs there')
    return right.sort()
  }

  async topic(topic: ArchiveTopic, isThere: boolean): Promise<readonly PartitionFolders[]> {
    if (!isThere) {
      this.#onFinding({
        ...{ kind: 'missing', file: join(this.#stream, topic), line: null },
        problem: `the folder of ${topic} is not there`,
      })
      return []
    }
    const known = new Set<string>([...archiveTables[topic], 'windows'])
    const tables = (await this.folders([this.#stream, topic], name => known.has(name))) as (ArchiveTable | 'windows')[]
    const numbered = await Promise.all(
      tables.map(async table => ({
        table,
        names: await this.folders([this.#stream, topic, table], name => partitionFolder(name) !== null),
      })),
    )
    const partitions = this.#partitions(topic, [...new Set(numbered.flatMap(({ names }) => names))])
    const found = Array.from({ length: partitions }, (_, partition) => this.empty(topic, partition, partitions))
    return Promise.all(found.map(each => this.#partition(each, tables)))
  }

  /** How many partitions the topic has, by its folders' names; those of another number are told. */
  #partitions(topic: ArchiveTopic, names: readonly string[]): number {
    const counts = Map.groupBy(names, name => partitionFolder(name)?.partitions ?? 0)
    const wanted = topic === 'engine.outputs' ? 1 : undefined
    const [most = 0] = [...counts].sort(([, a], [, b]) => b.length - a.length).map(([partitions]) => partitions)
    const partitions = wanted ?? most
    for (const [count, foreign] of counts)
      if (count !== partitions)
        for (const name of foreign)
          this.#foreign(
            [this.#stream, topic, '*', name],
            `it is of ${count} partitions, the archive's others of ${partitions}: another number is another topic, and another archive`,
          )
    return partitions
  }

  async #partition(empty: PartitionFolders, tables: readonly (ArchiveTable | 'windows')[]): Promise<PartitionFolders> {
    const windows = { ...empty.windows }
    for (const table of tables) {
      const path = archiveFolder({ ...empty.partition, table })
      const found: bigint[] = []
      for (const name of (await namesIn(join(this.#dir, ...path))) ?? []) {
        const place = parseArchiveFileName(name)
        const isOurs =
          place?.table === table &&
          (['stream', 'topic', 'partition', 'partitions'] as const).every(key => place[key] === empty.partition[key])
        if (isOurs) found.push(place.window)
        else if (name.endsWith('.part')) this.unfinished++
        else this.#foreign([...path, name], 'no file of that name belongs there')
      }
      windows[table] = found
    }
    return { ...empty, windows }
  }

  #foreign(path: readonly string[], problem: string): void {
    this.#onFinding({ kind: 'foreign', file: join(...path), line: null, problem })
  }
}

const partitionFolder = (name: string): { readonly partitions: number } | null => {
  const [, partition, partitions] = /^(\d{2,})-of-(\d+)$/.exec(name) ?? []
  return partition !== undefined && Number(partition) < Number(partitions) ? { partitions: Number(partitions) } : null
}
