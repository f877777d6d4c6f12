import { dirname } from 'node:path'
import { fileStop, type FilesPort, type WritableFile } from '../../../runtime/files.ts'

type Inode = { readonly kind: 'file' | 'folder'; bytes: Buffer; synced: number }
type Names = Map<string, Inode>

/** The process is gone: nothing after this happens. */
export class Died extends Error {}

/** What happens at the nth operation, counted from 1. */
export type Fault =
  | { readonly at: number; readonly kind: 'die' }
  | { readonly at: number; readonly errno: string; readonly kind: 'fail' }

/**
 * A disk that loses, at a power loss, bytes that were not synced and names whose folder was not synced; what the
 * system wrote by itself before that is chance, within the order of each folder's changes.
 */
export class MemoryDisk implements FilesPort {
  #names: Names = new Map()
  #durable: Names = new Map()
  /** Changes of each folder's names since it was synced, in order. */
  #pending = new Map<string, ((names: Names) => void)[]>()
  #steps = 0
  #fault: Fault | null = null
  #dead = false

  constructor(root: string) {
    this.#names.set(root, { kind: 'folder', bytes: Buffer.alloc(0), synced: 0 })
    this.#durable = new Map(this.#names)
  }

  /** Operations so far, or since the last `arm`. */
  get steps(): number {
    return this.#steps
  }

  arm(fault: Fault | null): void {
    this.#steps = 0
    this.#fault = fault
  }

  /** @param chance a number in [0, 1) at each call: how much of what was not synced survived */
  losePower(chance: () => number): void {
    for (const changes of this.#pending.values())
      for (const change of changes.slice(0, Math.floor(chance() * (changes.length + 1)))) change(this.#durable)
    const reachable = [...this.#durable].filter(([path]) => this.#isReachable(path))
    this.#durable = new Map(reachable)
    for (const inode of new Set(this.#durable.values())) {
      const kept = inode.synced + Math.floor(chance() * (inode.bytes.length - inode.synced + 1))
      inode.bytes = inode.bytes.subarray(0, kept)
      inode.synced = kept
    }
    this.#names = new Map(this.#durable)
    this.startAgain()
    this.#pending = new Map()
  }

  /** The process died, the machine did not: everything written is still there. */
  startAgain(): void {
    this.#dead = false
    this.arm(null)
  }

  /** Every file by its path. */
  get contents(): ReadonlyMap<string, Buffer> {
    const files = [...this.#names].filter(([, { kind }]) => kind === 'file')
    return new Map(files.map(([path, { bytes }]) => [path, bytes] as const).sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  overwrite(path: string, bytes: Buffer): void {
    this.#names.set(path, { kind: 'file', bytes, synced: bytes.length })
    this.#durable = new Map(this.#names)
  }

  async create(path: string): Promise<WritableFile> {
    await this.#step('create', path)
    if (!this.#names.has(dirname(path))) throw failed('create', path, 'ENOENT')
    if (this.#names.has(path)) throw failed('create', path, 'EEXIST')
    const inode: Inode = { kind: 'file', bytes: Buffer.alloc(0), synced: 0 }
    this.#change(dirname(path), names => names.set(path, inode))
    return {
      write: async bytes => {
        await this.#step('write', path)
        inode.bytes = Buffer.concat([inode.bytes, bytes])
      },
      sync: async () => {
        await this.#step('sync', path)
        inode.synced = inode.bytes.length
      },
      close: () => this.#step('close', path),
    }
  }

  async read(path: string): Promise<Buffer | null> {
    await this.#step('read', path)
    return this.#names.get(path)?.bytes ?? null
  }

  async *chunks(path: string): AsyncGenerator<Buffer> {
    const bytes = await this.read(path)
    if (bytes === null) throw failed('read', path, 'ENOENT')
    yield bytes
  }

  async list(folder: string): Promise<readonly string[] | null> {
    await this.#step('list', folder)
    if (!this.#names.has(folder)) return null
    const paths = [...this.#names.keys()].filter(path => path !== folder && dirname(path) === folder)
    return paths.map(path => path.slice(folder.length + 1)).sort()
  }

  async makeFolder(path: string): Promise<void> {
    await this.#step('make folder', path)
    if (this.#names.has(path)) return
    if (!this.#names.has(dirname(path))) throw failed('make folder', path, 'ENOENT')
    const inode: Inode = { kind: 'folder', bytes: Buffer.alloc(0), synced: 0 }
    this.#change(dirname(path), names => names.set(path, inode))
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step(`rename ${from} to`, to)
    const inode = this.#names.get(from)
    if (!inode) throw failed(`rename ${from} to`, to, 'ENOENT')
    this.#change(dirname(to), names => {
      names.delete(from)
      names.set(to, inode)
    })
  }

  async syncFolder(path: string): Promise<void> {
    await this.#step('sync folder', path)
    for (const change of this.#pending.get(path) ?? []) change(this.#durable)
    this.#pending.delete(path)
  }

  async remove(path: string): Promise<void> {
    await this.#step('remove', path)
    if (this.#names.has(path)) this.#change(dirname(path), names => names.delete(path))
  }

  #change(folder: string, change: (names: Names) => void): void {
    change(this.#names)
    this.#pending.set(folder, [...(this.#pending.get(folder) ?? []), change])
  }

  #isReachable(path: string): boolean {
    const parent = dirname(path)
    if (parent === path || !this.#names.has(parent)) return true
    return this.#durable.has(parent) && this.#isReachable(parent)
  }

  async #step(doing: string, path: string): Promise<void> {
    // Others get their turn between any two operations, as on a real disk.
    await Promise.resolve()
    if (this.#dead) throw new Died()
    if (++this.#steps !== this.#fault?.at) return
    if (this.#fault.kind === 'fail') throw failed(doing, path, this.#fault.errno)
    this.#dead = true
    throw new Died()
  }
}

const failed = (doing: string, path: string, errno: string) => fileStop(doing, path, { code: errno })
