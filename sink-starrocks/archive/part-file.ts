import { createHash } from 'node:crypto'
import type { FilesPort, WritableFile } from '../../runtime/files.ts'
import { limits } from './limits.ts'

/**
 * A file in the making, under a name that only this instance uses: nobody sees the final name before every byte is
 * durable. `create` → `append`… → `sync` → `publish`; the folder that names it is the caller's to sync.
 */
export class PartFile {
  readonly #files: FilesPort
  readonly #finalPath: string
  readonly #partPath: string
  readonly #file: WritableFile
  readonly #hash = createHash('sha256')
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #bytes = 0n
  #state: 'open' | 'closed' | 'published' = 'open'

  private constructor(files: FilesPort, finalPath: string, partPath: string, file: WritableFile) {
    this.#files = files
    this.#finalPath = finalPath
    this.#partPath = partPath
    this.#file = file
  }

  /** @param owner this instance's name and a random word, as `ownerOf` joins them */
  static async create(files: FilesPort, finalPath: string, owner: string): Promise<PartFile> {
    const partPath = `${finalPath}.${owner}.part`
    return new PartFile(files, finalPath, partPath, await files.create(partPath))
  }

  async append(bytes: Buffer): Promise<void> {
    this.#hash.update(bytes)
    this.#bytes += BigInt(bytes.length)
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes >= limits.writeBufferBytes) await this.#flush()
  }

  async #flush(): Promise<void> {
    if (this.#waitingBytes === 0) return
    const bytes = Buffer.concat(this.#waiting)
    this.#waiting = []
    this.#waitingBytes = 0
    await this.#file.write(bytes)
  }

  /** Every byte is durable when it resolves; no more may be appended. */
  async sync(): Promise<{ readonly bytes: bigint; readonly sha256: string }> {
    await this.#flush()
    await this.#file.sync()
    await this.#close()
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') }
  }

  /** Takes the final name, in the place of an earlier file of that name. */
  async publish(): Promise<void> {
    await this.#files.rename(this.#partPath, this.#finalPath)
    this.#state = 'published'
  }

  /** Gives up what was not published. */
  async discard(): Promise<void> {
    if (this.#state === 'published') return
    try {
      await this.#close()
    } finally {
      await this.#files.remove(this.#partPath)
    }
  }

  async #close(): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    await this.#file.close()
  }
}

/** Tells apart the parts of two instances, and those of one instance before and after a crash. */
export const ownerOf = (instance: string, random: string): string => `${instance}-${random}`

/** The instance whose part a name is, or null when it is no part. */
export const instanceOfPart = (name: string): string | null =>
  /\.(?:csv|json)\.([A-Za-z0-9_-]+)-[0-9a-f]+\.part$/.exec(name)?.[1] ?? null
