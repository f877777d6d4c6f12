import { join } from 'node:path'
import {
  type ArchivePartition,
  type ArchivePlace,
  archiveFileName,
  archiveFolder,
  parseArchiveFileName,
} from '../../schemas/archive/archive-name.ts'
import { archiveTables } from '../../schemas/archive/archive-tables.ts'
import { decodeSidecar, type Sidecar } from '../../schemas/archive/sidecar.ts'
import { ArchiveFormatError } from '../../schemas/archive/table.ts'
import type { FilesPort } from '../../runtime/files.ts'
import { refuse, Stop } from '../../runtime/stop.ts'
import { instanceOfPart, ownerOf, PartFile } from './part-file.ts'

type Place = Pick<ArchivePlace, 'table' | 'window'>

export type ArchiveFolderOptions = {
  readonly files: FilesPort
  /** The archive's folder; it must be there, so that a mount that failed is not written under. */
  readonly dir: string
  readonly instance: string
  /** A new random word of lower-case hex at each call. */
  readonly random: () => string
  readonly partition: ArchivePartition
}

/** The folders of one partition. */
export class ArchiveFolder {
  readonly #options: ArchiveFolderOptions
  readonly #made = new Set<string>()

  private constructor(options: ArchiveFolderOptions) {
    this.#options = options
  }

  /** Removes what a crash of this very instance left behind; everybody else's is counted and left alone. */
  static async open(
    options: ArchiveFolderOptions,
  ): Promise<{ readonly folder: ArchiveFolder; readonly removed: number; readonly foreign: number }> {
    const { files, dir, instance } = options
    if ((await files.list(dir)) === null)
      throw new Stop({
        code: 'folder-missing',
        reason: 'usage',
        message: `ARCHIVE_DIR=${dir} does not exist; make it (or mount it), it is not made by itself`,
        context: { path: dir },
      })
    const folder = new ArchiveFolder(options)
    let removed = 0
    let foreign = 0
    for (const table of [...archiveTables[options.partition.topic], 'windows'] as const)
      for (const name of (await files.list(folder.#pathOf(table))) ?? []) {
        const owner = instanceOfPart(name)
        if (owner === null) continue
        if (owner === instance) await files.remove(join(folder.#pathOf(table), name))
        if (owner === instance) removed++
        else foreign++
      }
    return { folder, removed, foreign }
  }

  /** A new part of a table's file, or of a sidecar. */
  async createPart(place: Place): Promise<PartFile> {
    const { files, instance, random } = this.#options
    await this.#makeFolders(place.table)
    return await PartFile.create(
      files,
      join(this.#pathOf(place.table), this.nameOf(place)),
      ownerOf(instance, random()),
    )
  }

  nameOf(place: Place): string {
    return archiveFileName({ ...this.#options.partition, ...place })
  }

  /** Makes the names of a table's files durable. */
  async sync(table: ArchivePlace['table']): Promise<void> {
    await this.#options.files.syncFolder(this.#pathOf(table))
  }

  /** The sidecar of a window, or null when this folder has none. @throws Stop when it is none of ours */
  async sidecar(window: bigint): Promise<Sidecar | null> {
    const { files, partition } = this.#options
    const path = join(this.#pathOf('windows'), this.nameOf({ table: 'windows', window }))
    const bytes = await files.read(path)
    if (bytes === null) return null
    const sidecar = decodeOrStop(bytes, path)
    const wrong = (['stream', 'topic', 'partition', 'partitions'] as const).find(key => sidecar[key] !== partition[key])
    if (wrong !== undefined || sidecar.window !== window)
      throw refuse(
        'archive-foreign',
        `${path} says ${wrong ?? 'window'} ${wrong === undefined ? sidecar.window : sidecar[wrong]}; it belongs elsewhere: use the folder of this stream alone`,
        { path },
      )
    return sidecar
  }

  /** The sidecar of the last window that this folder has. */
  async lastSidecar(): Promise<Sidecar | null> {
    const names = (await this.#options.files.list(this.#pathOf('windows'))) ?? []
    const last = names.map(parseArchiveFileName).findLast(place => place !== null)
    return last ? await this.sidecar(last.window) : null
  }

  /** Every folder down to the table's, each name durable: a crash may have come between making and syncing one. */
  async #makeFolders(table: ArchivePlace['table']): Promise<void> {
    const { files, dir, partition } = this.#options
    const path = this.#pathOf(table)
    if (this.#made.has(path)) return
    let parent = dir
    for (const name of archiveFolder({ ...partition, table })) {
      const child = join(parent, name)
      await files.makeFolder(child)
      await files.syncFolder(parent)
      parent = child
    }
    this.#made.add(path)
  }

  #pathOf(table: ArchivePlace['table']): string {
    return join(this.#options.dir, ...archiveFolder({ ...this.#options.partition, table }))
  }
}

const decodeOrStop = (bytes: Buffer, path: string): Sidecar => {
  try {
    return decodeSidecar(bytes, path)
  } catch (error) {
    if (!(error instanceof ArchiveFormatError)) throw error
    throw refuse('archive-format', `${error.message}; nothing was written over`, { path })
  }
}
