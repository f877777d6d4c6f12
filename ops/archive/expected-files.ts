import { createHash, type Hash } from 'node:crypto'
import type { LogRecord } from '../../core/events.ts'
import { correctionChange } from '../../core/fold.ts'
import { type Pos, type UserId, userId } from '../../core/ids.ts'
import { partitionOf } from '../../core/partition.ts'
import type { UserTable } from '../../schemas/archive/archive-tables.ts'
import { csvText } from '../../schemas/archive/csv-text.ts'
import { userTables } from '../../schemas/archive/user-tables.ts'
import { ledgerCells, orderCells, referenceCells, tradeCells } from '../verify/archive-shapes.ts'
import type { Row } from '../verify/row-shape.ts'
import { userShares } from '../verify/user-shares.ts'
import type { Digest } from './archive-files.ts'

/** A row that the log calls for, as the line of its file. */
export type ExpectedLine = {
  readonly partition: number
  readonly table: UserTable
  readonly pos: Pos
  readonly line: string
}

/** What a file of one window must be. */
export type ExpectedFile = Digest & { readonly rows: bigint; readonly firstPos: Pos; readonly lastPos: Pos }

export const headerLine = (table: UserTable): string => csvText([userTables[table].columns])

/** The lines that one record of the log calls for, in their files' order; worked out apart from the code that writes them. */
export const expectedLines = (record: LogRecord, partitions: number): readonly ExpectedLine[] => {
  const { pos } = record
  const of = (user: bigint): number => partitionOf(userId(user), partitions)
  // Rows of verify begin with their partition.
  const line = (table: UserTable, [partition, ...cells]: Row): ExpectedLine => ({
    ...{ partition: Number(partition), table, pos },
    line: csvText([cells.map(cell => cell ?? '')]),
  })
  switch (record.kind) {
    case 'Output': {
      const { time } = record.output
      return userShares(record.output).flatMap(({ user, trades, orders, changes }) => [
        ...trades
          .filter(({ value }) => value.buyer === (user as UserId))
          .map(({ index, value }) => line('trades', tradeCells(of(user), value, { pos, time, idx: index }))),
        ...orders.map(({ index, value }) => line('orders', orderCells(of(user), value, { pos, time, idx: index }))),
        ...changes.map(({ index, value }) =>
          line('ledger', ledgerCells(of(user), value, { pos, time, idx: index, command: '' })),
        ),
      ])
    }
    case 'Reference': {
      const { reference, time } = record.output
      return reference ? referenceCells(reference, { pos, time }).map(row => line('reference', row)) : []
    }
    case 'Correction': {
      const { id: command, time } = record.command
      const change = correctionChange(record.correction)
      return [line('ledger', ledgerCells(of(change.user), change, { pos, time, idx: 0, command }))]
    }
    case 'Session':
    case 'Tick':
    case 'Gap':
    case 'Admit':
    case 'Redrive':
    case 'Refused':
    case 'Note':
      return []
  }
}

type Open = { readonly hash: Hash; bytes: bigint; rows: bigint; readonly firstPos: Pos; lastPos: Pos }

/** What the files of `user.outputs` must be for one window, while the log's records of it pass; no row is kept. */
export class ExpectedFiles {
  readonly #partitions: number
  readonly #open = new Map<number, Map<UserTable, Open>>()

  constructor(partitions: number) {
    this.#partitions = partitions
  }

  take(record: LogRecord): void {
    for (const { partition, table, pos, line } of expectedLines(record, this.#partitions)) {
      const file = this.#file(partition, table, pos)
      append(file, line)
      file.rows++
      file.lastPos = pos
    }
  }

  /** By partition; one without rows is not among them. */
  end(): ReadonlyMap<number, ReadonlyMap<UserTable, ExpectedFile>> {
    const ended = new Map<number, ReadonlyMap<UserTable, ExpectedFile>>()
    for (const [partition, files] of this.#open) {
      const entries = [...files].map(
        ([table, { hash, ...rest }]) => [table, { ...rest, sha256: hash.digest('hex') }] as const,
      )
      ended.set(partition, new Map(entries))
    }
    this.#open.clear()
    return ended
  }

  #file(partition: number, table: UserTable, pos: Pos): Open {
    const files = this.#open.get(partition) ?? new Map<UserTable, Open>()
    this.#open.set(partition, files)
    const found = files.get(table)
    if (found) return found
    const file: Open = { hash: createHash('sha256'), bytes: 0n, rows: 0n, firstPos: pos, lastPos: pos }
    append(file, headerLine(table))
    files.set(table, file)
    return file
  }
}

const append = (file: Open, text: string): void => {
  const bytes = Buffer.from(text)
  file.hash.update(bytes)
  file.bytes += BigInt(bytes.length)
}
