import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { Stop } from '../../runtime/stop.ts'
import { ArchiveFormatError } from '../../schemas/archive/table.ts'

/** The content of a file, as it is proved by its sidecar. */
export type Digest = { readonly sha256: string; readonly bytes: bigint }

/** Null when the file is not there. @throws Stop `archive-unreadable` */
export const digestOf = async (path: string): Promise<Digest | null> => {
  const digest = new RunningDigest()
  try {
    for await (const _ of digest.through(createReadStream(path) as AsyncIterable<Buffer>));
  } catch (error) {
    if (isMissing(error)) return null
    throw unreadable(path, error)
  }
  return digest.end()
}

/** Hashes what passes, so that whoever reads a file proves it by the same reading. */
export class RunningDigest {
  readonly #checksum = createHash('sha256')
  #bytes = 0n

  async *through(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.#checksum.update(chunk)
      this.#bytes += BigInt(chunk.length)
      yield chunk
    }
  }

  end(): Digest {
    return { sha256: this.#checksum.digest('hex'), bytes: this.#bytes }
  }
}

/** Names in a folder, sorted; null when there is none. @throws Stop `archive-unreadable` */
export const namesIn = async (folder: string): Promise<readonly string[] | null> => {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    if (isMissing(error)) return null
    throw unreadable(folder, error)
  }
}

/** The archive's folder must be there: one that is not mounted is not an archive without files. @throws Stop */
export const requireFolder = async (dir: string): Promise<void> => {
  if ((await namesIn(dir)) === null) throw unreadable(dir, new Error('there is no such folder'))
}

export const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

/** Whether a file was read and is not what it should be. */
export const isFormatError = (error: unknown): boolean =>
  error instanceof ArchiveFormatError || (error as { readonly code?: string }).code?.startsWith('CSV_') === true

export const unreadable = (path: string, cause: unknown): Stop =>
  new Stop({
    code: 'archive-unreadable',
    reason: 'failed',
    message: `${path} can't be read: ${cause instanceof Error ? cause.message : String(cause)}; look at the path, the mount and its permissions`,
    cause,
  })
