import { createHash } from 'node:crypto'
import { z } from 'zod'
import { type ArchivePartition, windowStart } from './archive-name.ts'
import { archiveTables, type ArchiveTable } from './archive-tables.ts'
import { formatTimeUs } from './iso-time.ts'
import { ArchiveFormatError } from './table.ts'

/** One finished CSV of a window. */
export type ArchivedFile = {
  readonly table: ArchiveTable
  readonly name: string
  /** Header not counted. */
  readonly rows: bigint
  readonly firstPos: bigint
  readonly lastPos: bigint
  readonly bytes: bigint
  /** Lower-case hex, of the whole file. */
  readonly sha256: string
}

/** What a window's hash covers: pos and content only, so that the same log gives the same chain wherever it is read. */
export type HashedWindow = ArchivePartition & {
  readonly windowMs: number
  readonly window: bigint
  /** Hash of the last window before that had rows; 64 zeros when there is none. */
  readonly before: string
  /** In the order of `archiveTables`; a table without rows has no file. Never empty. */
  readonly files: readonly ArchivedFile[]
}

/** Written beside each window that has rows, after its files are in place: the window is whole when this is there. */
export type Sidecar = HashedWindow & {
  readonly hash: string
  /** Of the window's records, those without rows too; not in the hash, because a remade topic has others. */
  readonly read: {
    readonly firstOffset: bigint
    readonly lastOffset: bigint
    readonly firstN: bigint
    readonly lastN: bigint
  }
}

export const zeroHash: string = '0'.repeat(64)

/** SHA-256, in lower-case hex, of the lines below, each ended by LF. */
export const windowHash = (window: HashedWindow): string =>
  createHash('sha256')
    .update(
      [
        'settle archive 1',
        `before ${window.before}`,
        `stream ${window.stream}`,
        `topic ${window.topic}`,
        `partition ${window.partition} of ${window.partitions}`,
        `window ${window.window} of ${window.windowMs} ms`,
        ...window.files.map(
          ({ table, rows, firstPos, lastPos, bytes, sha256 }) =>
            `${table} rows ${rows} pos ${firstPos} ${lastPos} bytes ${bytes} sha256 ${sha256}`,
        ),
      ]
        .map(line => `${line}\n`)
        .join(''),
    )
    .digest('hex')

const natural = z
  .string()
  .regex(/^(0|[1-9]\d*)$/, 'must be a whole number in a string')
  .transform(BigInt)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 digits of lower-case hex')
const tables = [...archiveTables['user.outputs'], ...archiveTables['engine.outputs']] as const
const file = z.strictObject({
  table: z.enum(tables),
  name: z.string(),
  rows: natural,
  first_pos: natural,
  last_pos: natural,
  bytes: natural,
  sha256,
})
const sidecar = z.strictObject({
  format: z.literal('settle archive 1'),
  stream: z.string(),
  topic: z.enum(['user.outputs', 'engine.outputs']),
  partition: z.int().nonnegative(),
  partitions: z.int().positive(),
  window_ms: z.int().positive(),
  window: natural,
  /** For people: both ends of the window as times; the end is not in it. */
  from: z.string(),
  to: z.string(),
  before: sha256,
  files: z.array(file).min(1),
  hash: sha256,
  read: z.strictObject({ first_offset: natural, last_offset: natural, first_n: natural, last_n: natural }),
})

/** The sidecar's JSON. Numbers that may outgrow 53 bits are strings. */
export const encodeSidecar = (it: Sidecar): Buffer => {
  const { window, windowMs, read } = it
  const json: z.input<typeof sidecar> = {
    format: 'settle archive 1',
    stream: it.stream,
    topic: it.topic,
    partition: it.partition,
    partitions: it.partitions,
    window_ms: windowMs,
    window: `${window}`,
    from: formatTimeUs(windowStart(window, windowMs)),
    to: formatTimeUs(windowStart(window + 1n, windowMs)),
    before: it.before,
    files: it.files.map(({ table, name, rows, firstPos, lastPos, bytes, sha256: digest }) => ({
      table,
      name,
      rows: `${rows}`,
      first_pos: `${firstPos}`,
      last_pos: `${lastPos}`,
      bytes: `${bytes}`,
      sha256: digest,
    })),
    hash: it.hash,
    read: {
      first_offset: `${read.firstOffset}`,
      last_offset: `${read.lastOffset}`,
      first_n: `${read.firstN}`,
      last_n: `${read.lastN}`,
    },
  }
  return Buffer.from(`${JSON.stringify(json, null, 2)}\n`)
}

/**
 * A sidecar from its bytes. Its hash is not checked here: see `sidecarProblems`.
 * @param name of the file, for the error
 * @throws ArchiveFormatError when it is not one
 */
export const decodeSidecar = (bytes: Buffer, name: string): Sidecar => {
  const parsed = sidecar.safeParse(parseJson(bytes, name))
  if (!parsed.success)
    throw new ArchiveFormatError(
      `${name} is not a sidecar: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('; ')}`,
    )
  const { format: _, from: _from, to: _to, window_ms: windowMs, files, read, ...rest } = parsed.data
  return {
    ...rest,
    windowMs,
    files: files.map(({ first_pos: firstPos, last_pos: lastPos, ...others }) => ({ ...others, firstPos, lastPos })),
    read: {
      firstOffset: read.first_offset,
      lastOffset: read.last_offset,
      firstN: read.first_n,
      lastN: read.last_n,
    },
  }
}

const parseJson = (bytes: Buffer, name: string): unknown => {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new ArchiveFormatError(`${name} is not JSON`, { cause })
  }
}
