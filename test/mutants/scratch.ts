import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'

const leftOut = new Set(['.git', '.data', 'node_modules', join('bench', 'out')])

/** A copy of the working tree in a temporary folder, to be broken; packages are linked, not copied. */
export class Scratch {
  readonly dir: string

  private constructor(dir: string) {
    this.dir = dir
  }

  static async copyOf(tree: string): Promise<Scratch> {
    const dir = await mkdtemp(join(tmpdir(), 'settle-mutants-'))
    await cp(tree, dir, { recursive: true, filter: source => !leftOut.has(relative(tree, source)) })
    // A folder of its own, since tools keep their caches in it.
    await mkdir(join(dir, 'node_modules'))
    for (const name of await readdir(join(tree, 'node_modules')))
      if (!name.startsWith('.') || name === '.bin')
        await symlink(join(tree, 'node_modules', name), join(dir, 'node_modules', name))
    return new Scratch(dir)
  }

  has(file: string): boolean {
    return existsSync(join(this.dir, file))
  }

  read(file: string): Promise<string> {
    return readFile(join(this.dir, file), 'utf8')
  }

  async write(file: string, text: string): Promise<void> {
    await writeFile(this.#inside(file), text)
  }

  async delete(file: string): Promise<void> {
    await rm(this.#inside(file))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.dir, { recursive: true, force: true, maxRetries: 3 })
  }

  /** Packages are the working tree's own. */
  #inside(file: string): string {
    const path = join(this.dir, file)
    const within = relative(this.dir, path).split(sep)
    if (within[0] === '..' || within[0] === 'node_modules') throw new Error(`${file} is not of the copy`)
    return path
  }
}
