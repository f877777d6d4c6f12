import { execFile } from 'node:child_process'
import { cp, mkdir, rename, statfs } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** More than any run writes; memory is taken only for what is there. */
const roomy = '4g'

/**
 * A file system of its own, in memory, that can be made full: it is made as small as what is on it. Whoever runs as
 * root is let through every permission, and a real disk is nobody's to fill.
 */
export class SmallDisk {
  readonly dir: string
  #fullSinceMs: number | null = null
  #roomSinceMs = Number.NEGATIVE_INFINITY

  private constructor(dir: string) {
    this.dir = dir
  }

  /** @throws when this process may not mount: see `canMount` */
  static async mount(dir: string): Promise<SmallDisk> {
    await mkdir(dir, { recursive: true })
    await run('mount', ['-t', 'tmpfs', '-o', `size=${roomy}`, 'tmpfs', dir])
    return new SmallDisk(dir)
  }

  /** Whether there was no room at a moment of the last so many ms. */
  wasFull({ withinMs }: { readonly withinMs: number }): boolean {
    return this.#fullSinceMs !== null || performance.now() - this.#roomSinceMs < withinMs
  }

  /** No byte more; what is removed meanwhile makes room until it is filled again. */
  async fill(): Promise<void> {
    this.#fullSinceMs ??= performance.now()
    const { blocks, bfree, bsize } = await statfs(this.dir)
    // What was written since then is more than that: it is asked to be smaller than it is, and refuses.
    await run('mount', ['-o', `remount,size=${Math.max(1, blocks - bfree) * bsize}`, this.dir]).catch(() => {})
  }

  async empty(): Promise<void> {
    await run('mount', ['-o', `remount,size=${roomy}`, this.dir])
    this.#roomSinceMs = performance.now()
    this.#fullSinceMs = null
  }

  /** Ends it; what is on it stays as a folder of the same name, if it is to be kept. */
  async unmount({ data }: { readonly data: 'kept' | 'removed' }): Promise<void> {
    const copy = `${this.dir}.copy`
    if (data === 'kept') await cp(this.dir, copy, { recursive: true })
    await run('umount', ['-l', this.dir])
    if (data === 'kept') await rename(copy, this.dir)
  }
}
