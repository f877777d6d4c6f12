import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  type ArchivedFile,
  decodeSidecar,
  encodeSidecar,
  type Sidecar,
  windowHash,
  zeroHash,
} from '../../schemas/archive/sidecar.ts'
import { archiveFolder } from '../../schemas/archive/archive-name.ts'

/** A folder that a test breaks: its files by table, and what a forger would do. */
export class ArchiveOnDisk {
  readonly dir: string

  constructor(dir: string) {
    this.dir = dir
  }

  /** Paths of a table's files (or `windows`), of all partitions, in order. */
  files(table: string): readonly string[] {
    return (readdirSync(this.dir, { recursive: true, encoding: 'utf8' }) as readonly string[])
      .filter(name => name.includes(`/${table}/`) && /\.(csv|json)$/.test(name))
      .sort()
      .map(name => join(this.dir, name))
  }

  /** The first file of a table. */
  first(table: string): string {
    const [path] = this.files(table)
    if (path === undefined) throw new Error(`no file of ${table} in ${this.dir}`)
    return path
  }

  edit(path: string, change: (text: string) => string): void {
    const text = readFileSync(path, 'latin1')
    const changed = change(text)
    if (changed === text) throw new Error(`nothing was changed in ${path}`)
    writeFileSync(path, changed, 'latin1')
  }

  editSidecar(path: string, change: (sidecar: Sidecar) => Sidecar): void {
    writeFileSync(path, encodeSidecar(change(decodeSidecar(readFileSync(path), path))))
  }

  /** Makes the sidecars of a partition agree again with each other and with what lies there now. */
  reseal(windowPath: string): void {
    let before = zeroHash
    for (const path of this.files('windows').filter(each => dirname(each) === dirname(windowPath)))
      this.editSidecar(path, sidecar => {
        const hashed = { ...sidecar, before, files: sidecar.files.map(file => this.#sealed(sidecar, file)) }
        before = windowHash(hashed)
        return { ...hashed, hash: before }
      })
  }

  #sealed(sidecar: Sidecar, file: ArchivedFile): ArchivedFile {
    const bytes = readFileSync(join(this.dir, ...archiveFolder({ ...sidecar, table: file.table }), file.name))
    const rows = bytes.toString().trimEnd().split('\r\n').slice(1)
    const pos = rows.map(row => BigInt(row.slice(0, row.indexOf(','))))
    return {
      ...file,
      ...{ rows: BigInt(rows.length), firstPos: pos[0] ?? 0n, lastPos: pos.at(-1) ?? 0n },
      ...{ bytes: BigInt(bytes.length), sha256: createHash('sha256').update(bytes).digest('hex') },
    }
  }
}
