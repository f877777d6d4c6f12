import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EnginePosition, Session } from '../../../core/events.ts'
import { fromBigintJson, toBigintJson } from '../bigint-json.ts'
import { replaceFile } from './durable-files.ts'
import { JournalError } from './journal-error.ts'

/** One life of the engine, and where in the journal it began. It ends where the next one begins. */
export type SessionRow = {
  readonly epoch: bigint
  readonly random: bigint
  /** Index of what was or will be its output 1. */
  readonly first: bigint
  /** The chain before that output, in hex. */
  readonly chainBefore: string
}

const fileName = 'sessions.json'

/** Every session there ever was: turns (session, seq) into the journal's index and back. */
export class Sessions {
  readonly #rows: readonly SessionRow[]

  /** At least one; `begin` reads them from a journal's folder. */
  constructor(rows: readonly SessionRow[]) {
    this.#rows = rows
  }

  /** Begins a new session after record `last`: durable when it returns, before anything of it is published. */
  static async begin(
    folder: string,
    { last, chain }: { readonly last: bigint; readonly chain: Buffer },
  ): Promise<Sessions> {
    const path = join(folder, fileName)
    const rows = await readRows(path)
    const previous = rows.at(-1)
    if (previous && previous.first > last + 1n)
      throw new JournalError(
        `${path} says that session ${previous.epoch} began at output ${previous.first}, but the journal ends at ${last}: ` +
          'outputs are missing. Restore the journal from a copy',
      )
    const row: SessionRow = {
      epoch: (previous?.epoch ?? 0n) + 1n,
      random: randomBytes(8).readBigUInt64BE(),
      first: last + 1n,
      chainBefore: chain.toString('hex'),
    }
    const all = [...rows, row]
    await replaceFile(path, toBigintJson(all))
    return new Sessions(all)
  }

  get all(): readonly SessionRow[] {
    return this.#rows
  }

  get current(): SessionRow {
    return this.#rows.at(-1) as SessionRow
  }

  find({ epoch, random }: Session): SessionRow | undefined {
    return this.#rows.find(row => row.epoch === epoch && row.random === random)
  }

  /** The session that began after this one; undefined for the current one. */
  after(row: SessionRow): SessionRow | undefined {
    return this.#rows[this.#rows.indexOf(row) + 1]
  }

  /** The session that an output belongs to. */
  of(index: bigint): SessionRow {
    const row = this.#rows.findLast(known => known.first <= index)
    if (!row) throw new JournalError(`output ${index} is before the first session`)
    return row
  }

  /** Where an output stands, as the protocol says it. */
  position(index: bigint, chain: Buffer): EnginePosition {
    const row = this.of(index)
    return { epoch: row.epoch, random: row.random, seq: index - row.first + 1n, chain }
  }
}

const readRows = async (path: string): Promise<readonly SessionRow[]> => {
  try {
    return fromBigintJson(await readFile(path, 'utf8')) as SessionRow[]
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new JournalError(`${path} can't be read`, { cause })
  }
}

/** Where a session stood before its output 1. */
export const startOf = ({ epoch, random, chainBefore }: SessionRow): EnginePosition => ({
  epoch,
  random,
  seq: 0n,
  chain: Buffer.from(chainBefore, 'hex'),
})
