import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { archiveFileName, archiveFolder } from '../../schemas/archive/archive-name.ts'
import { linkProblems, sidecarProblems } from '../../schemas/archive/archive-chain.ts'
import { archiveTables, type ArchiveTable } from '../../schemas/archive/archive-tables.ts'
import { decodeSidecar, type Sidecar } from '../../schemas/archive/sidecar.ts'
import { isFormatError, unreadable } from './archive-files.ts'
import type { OnFinding } from './finding.ts'
import type { PartitionFolders } from './survey.ts'

/** One partition's sidecars, one after another, each held to the one before and to the files that lie there. */
export class PartitionChain {
  readonly #dir: string
  readonly #folders: PartitionFolders
  readonly #onFinding: OnFinding
  #at = 0
  /** Null: the next is the first; 'unknown': the one before could not be read. */
  #previous: Sidecar | null | 'unknown' = null
  readonly #passed = new Map<ArchiveTable, number>()

  /** `begins`: whether the folders' first window is the archive's first. */
  constructor(
    dir: string,
    folders: PartitionFolders,
    onFinding: OnFinding,
    begins: 'at the first window' | 'in the middle' = 'at the first window',
  ) {
    if (begins === 'in the middle') this.#previous = 'unknown'
    this.#dir = dir
    this.#folders = folders
    this.#onFinding = onFinding
  }

  /** The window of the next sidecar; null when there is none. */
  get next(): bigint | null {
    return this.#folders.windows.windows[this.#at] ?? null
  }

  /** The next sidecar; null when it is none, which was told. */
  async take(): Promise<Sidecar | null> {
    const window = this.next
    if (window === null) return null
    this.#at++
    const sidecar = await this.#read(window)
    this.#account(window, sidecar)
    if (sidecar) {
      const link = this.#previous === 'unknown' ? [] : linkProblems(this.#previous, sidecar)
      for (const problem of link) this.#tell('chain', window, problem)
      for (const problem of sidecarProblems(sidecar)) this.#tell('changed', window, problem)
    }
    this.#previous = sidecar ?? 'unknown'
    return sidecar
  }

  /** After the last sidecar. @returns files of the one window behind it that has none yet: the archive writes it again */
  finish(): number {
    let unfinished = 0
    const open = new Set<bigint>()
    for (const table of archiveTables[this.#folders.partition.topic])
      for (const window of this.#folders.windows[table].slice(this.#passed.get(table) ?? 0)) {
        unfinished++
        open.add(window)
      }
    const [first, ...more] = [...open].sort((a, b) => (a < b ? -1 : 1))
    if (first !== undefined && more.length > 0)
      this.#tell(
        'missing',
        first,
        `the sidecar is not there, and ${more.length} more after it, though files of these windows are`,
      )
    return unfinished
  }

  async #read(window: bigint): Promise<Sidecar | null> {
    const path = join(this.#dir, this.#pathOf(window))
    const bytes = await readFile(path).catch((error: unknown) => {
      throw unreadable(path, error)
    })
    const name = archiveFileName({ ...this.#folders.partition, table: 'windows', window })
    try {
      const sidecar = decodeSidecar(bytes, name)
      const said = archiveFileName({ ...sidecar, table: 'windows' })
      if (said === name) return sidecar
      this.#tell('foreign', window, `it says that it is ${said}: it is of another stream, partition or window`)
    } catch (error) {
      if (!isFormatError(error)) throw error
      this.#tell('changed', window, error instanceof Error ? error.message : String(error))
    }
    return null
  }

  /** Files up to this window that no sidecar names. */
  #account(window: bigint, sidecar: Sidecar | null): void {
    const { partition, windows } = this.#folders
    const named = new Set<string>(sidecar?.files.map(({ table }) => table))
    for (const table of archiveTables[partition.topic]) {
      let passed = this.#passed.get(table) ?? 0
      for (const there = windows[table]; (there[passed] ?? window + 1n) <= window; passed++) {
        if (there[passed] === window && (named.has(table) || !sidecar)) continue
        const place = { ...partition, table, window: there[passed] ?? window }
        const file = join(...archiveFolder(place), archiveFileName(place))
        const problem = 'no sidecar names it: its sidecar is missing, or it is of another archive'
        this.#onFinding({ kind: 'missing', file, line: null, problem })
      }
      this.#passed.set(table, passed)
    }
  }

  #tell(kind: 'chain' | 'changed' | 'foreign' | 'missing', window: bigint, problem: string): void {
    this.#onFinding({ kind, file: this.#pathOf(window), line: null, problem })
  }

  #pathOf(window: bigint): string {
    const place = { ...this.#folders.partition, table: 'windows' as const, window }
    return join(...archiveFolder(place), archiveFileName(place))
  }
}
