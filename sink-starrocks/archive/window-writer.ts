import { csvText } from '../../schemas/archive/csv-text.ts'
import { archiveTables, type ArchiveTable } from '../../schemas/archive/archive-tables.ts'
import type { ArchivePartition } from '../../schemas/archive/archive-name.ts'
import {
  type ArchivedFile,
  encodeSidecar,
  type HashedWindow,
  type Sidecar,
  windowHash,
} from '../../schemas/archive/sidecar.ts'
import { refuse } from '../../runtime/stop.ts'
import type { ArchiveFolder } from './archive-folder.ts'
import type { PartFile } from './part-file.ts'

/** One row on its way to its table's file. */
export type ArchivedRow = { readonly table: ArchiveTable; readonly pos: bigint; readonly cells: readonly string[] }

type OpenFile = { readonly part: PartFile; rows: bigint; readonly firstPos: bigint; lastPos: bigint }

/** One window while it is read: rows go to parts as they come, so that a window may have any size. */
export class WindowWriter {
  readonly window: bigint
  readonly #folder: ArchiveFolder
  readonly #columns: (table: ArchiveTable) => readonly string[]
  readonly #open = new Map<ArchiveTable, OpenFile>()
  #sidecarPart: PartFile | null = null

  constructor(options: {
    readonly window: bigint
    readonly folder: ArchiveFolder
    /** The header of a table. */
    readonly columns: (table: ArchiveTable) => readonly string[]
  }) {
    this.window = options.window
    this.#folder = options.folder
    this.#columns = options.columns
  }

  /** Rows in order of pos, all of this window. */
  async append(rows: readonly ArchivedRow[]): Promise<void> {
    for (const [table, ofTable] of Map.groupBy(rows, row => row.table)) {
      const first = ofTable[0] as ArchivedRow
      const file = this.#open.get(table) ?? (await this.#create(table, first.pos))
      await file.part.append(Buffer.from(csvText(ofTable.map(row => row.cells))))
      file.rows += BigInt(ofTable.length)
      file.lastPos = (ofTable.at(-1) ?? first).pos
    }
  }

  async #create(table: ArchiveTable, firstPos: bigint): Promise<OpenFile> {
    const part = await this.#folder.createPart({ table, window: this.window })
    const file = { part, rows: 0n, firstPos, lastPos: firstPos }
    this.#open.set(table, file)
    await part.append(Buffer.from(csvText([this.#columns(table)])))
    return file
  }

  /**
   * Makes the window final: files, then the sidecar that says they are whole; everything is durable when it resolves.
   * A window without rows leaves no trace and hands on the hash before it.
   * @returns the hash to chain on
   * @throws Stop `archive-conflict` when the folder already has another content for this window
   */
  async seal(window: {
    readonly partition: ArchivePartition
    readonly windowMs: number
    readonly before: string
    readonly read: Sidecar['read']
  }): Promise<string> {
    if (this.#open.size === 0) return window.before
    const { partition, windowMs, before, read } = window
    const hashed = { ...partition, windowMs, window: this.window, before, files: await this.#sync(partition) }
    const hash = windowHash(hashed)
    await this.#checkFolder({ ...hashed, hash })
    for (const { table } of hashed.files) await this.#open.get(table)?.part.publish()
    for (const { table } of hashed.files) await this.#folder.sync(table)
    await this.#publishSidecar({ ...hashed, hash, read })
    return hash
  }

  async #sync({ topic }: ArchivePartition): Promise<ArchivedFile[]> {
    const synced: ArchivedFile[] = []
    for (const table of archiveTables[topic]) {
      const file = this.#open.get(table)
      if (!file) continue
      const name = this.#folder.nameOf({ table, window: this.window })
      const { rows, firstPos, lastPos } = file
      synced.push({ table, name, rows, firstPos, lastPos, ...(await file.part.sync()) })
    }
    return synced
  }

  /** The same log gives the same hash; another one means that something else lives in this folder. */
  async #checkFolder(window: HashedWindow & { readonly hash: string }): Promise<void> {
    const there = await this.#folder.sidecar(window.window)
    if (there === null || there.hash === window.hash) return
    throw refuse(
      'archive-conflict',
      `${this.#folder.nameOf({ table: 'windows', window: window.window })} has hash ${there.hash}, the log gives ${window.hash}: the folder holds another log's window; nothing was written over. Archive into an empty folder, or find out which of the two is true with: settle archive verify`,
      { window: window.window, there: there.hash, ours: window.hash },
    )
  }

  async #publishSidecar(sidecar: Sidecar): Promise<void> {
    this.#sidecarPart = await this.#folder.createPart({ table: 'windows', window: this.window })
    await this.#sidecarPart.append(encodeSidecar(sidecar))
    await this.#sidecarPart.sync()
    await this.#sidecarPart.publish()
    await this.#folder.sync('windows')
  }

  /** Removes what is unfinished; what was published stays. */
  async discard(): Promise<void> {
    const parts = [...this.#open.values()].map(({ part }) => part)
    if (this.#sidecarPart) parts.push(this.#sidecarPart)
    // One that can't be removed must not keep the others.
    const results = await Promise.allSettled(parts.map(part => part.discard()))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
}
