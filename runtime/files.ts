import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { Stop, type StopReason } from './stop.ts'

/**
 * What services ask of a file system. What is written or renamed survives a power loss only after the file, or the
 * folder that names it, was synced. Every method throws the Stop of `fileStop`.
 */
export interface FilesPort {
  /** A new file; one of that name must not be there. */
  create(path: string): Promise<WritableFile>
  /** The whole of a small file, or null when there is none. */
  read(path: string): Promise<Buffer | null>
  /** A file of any size, piece by piece. */
  chunks(path: string): AsyncIterable<Buffer>
  /** Names in a folder, sorted, or null when there is no such folder. */
  list(folder: string): Promise<readonly string[] | null>
  /** One folder, in one that is there; nothing happens when it is there already. */
  makeFolder(path: string): Promise<void>
  /** Takes the place of a file of the new name, at once. */
  rename(from: string, to: string): Promise<void>
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>
  /** Nothing happens when the file is not there. */
  remove(path: string): Promise<void>
}

/** Written at its end only, one operation at a time. */
export interface WritableFile {
  write(bytes: Buffer): Promise<void>
  /** Makes what was written durable. */
  sync(): Promise<void>
  close(): Promise<void>
}

export const nodeFiles: FilesPort = {
  create: async path => {
    const handle = await open(path, 'wx').catch(failing('create', path))
    return {
      write: bytes => handle.writeFile(bytes).catch(failing('write', path)),
      sync: () => handle.sync().catch(failing('sync', path)),
      close: () => handle.close().catch(failing('close', path)),
    }
  },
  read: path => readFile(path).catch(nullWhenMissing).catch(failing('read', path)),
  chunks: async function* (path) {
    try {
      for await (const chunk of createReadStream(path)) yield chunk as Buffer
    } catch (error) {
      throw fileStop('read', path, error)
    }
  },
  list: async folder => {
    const names = await readdir(folder).catch(nullWhenMissing).catch(failing('list', folder))
    return names === null ? null : names.sort()
  },
  makeFolder: path => mkdir(path).catch(nothingWhenThere).catch(failing('make folder', path)),
  rename: (from, to) => rename(from, to).catch(failing(`rename ${from} to`, to)),
  syncFolder: async path => {
    const handle = await open(path, 'r').catch(failing('open folder', path))
    try {
      await handle.sync().catch(failing('sync folder', path))
    } finally {
      await handle.close()
    }
  },
  remove: path => rm(path, { force: true }).catch(failing('remove', path)),
}

/** Why a file operation failed, by the system's word for it, as the Stop that names path and way out. */
export const fileStop = (doing: string, path: string, cause: unknown): Stop => {
  const errno = (cause as NodeJS.ErrnoException).code ?? ''
  const { code, reason, wayOut } = classify(errno)
  const message = `can't ${doing} ${path}: ${wayOut} (${errno || String(cause)})`
  return new Stop({ code, reason, message, context: { path, errno }, cause })
}

const classify = (errno: string): { readonly code: string; readonly reason: StopReason; readonly wayOut: string } => {
  switch (errno) {
    // A restart mends these once somebody made room.
    case 'ENOSPC':
    case 'EDQUOT':
      return { code: 'disk-full', reason: 'failed', wayOut: 'no space left; make room, then start again' }
    // The folder is not what the setting says it is: a restart changes nothing.
    case 'EROFS':
      return { code: 'disk-read-only', reason: 'usage', wayOut: 'the file system is read-only; mount it writable' }
    case 'EACCES':
    case 'EPERM':
      return { code: 'disk-denied', reason: 'usage', wayOut: 'not permitted; let this user write there' }
    case 'ENOENT':
    case 'ENOTDIR':
      return { code: 'file-missing', reason: 'usage', wayOut: 'it, or the folder it belongs in, does not exist' }
    case 'EMFILE':
    case 'ENFILE':
      return { code: 'too-many-files', reason: 'failed', wayOut: 'too many open files; raise the limit' }
    // Input and output errors among them: the medium is in doubt.
    default:
      return { code: 'disk-failed', reason: 'failed', wayOut: 'the file system refused' }
  }
}

const failing =
  (doing: string, path: string) =>
  (error: unknown): never => {
    throw fileStop(doing, path, error)
  }

const nullWhenMissing = (error: unknown): null => {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
  throw error
}

const nothingWhenThere = (error: unknown): void => {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
}
