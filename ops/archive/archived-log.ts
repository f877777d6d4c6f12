import { join } from 'node:path'
import type { EnginePosition, LogRecord } from '../../core/events.ts'
import type { Pos } from '../../core/ids.ts'
import { archiveFileName, archiveFolder } from '../../schemas/archive/archive-name.ts'
import type { ArchiveTable } from '../../schemas/archive/archive-tables.ts'
import { outputRow, type OutputRow, outputsTable } from '../../schemas/archive/outputs-table.ts'
import type { Sidecar } from '../../schemas/archive/sidecar.ts'
import { decodeLogRecord } from '../../schemas/codec.ts'
import { nowhere, positionProblem } from '../log-position.ts'
import type { OnFinding } from './finding.ts'
import { type FileProblem, rowsOf } from './read-rows.ts'

/** A record of the log as its archive holds it: `value` is what stands in Kafka. */
export type ArchivedRecord = { readonly record: LogRecord; readonly value: Buffer }

/** Where a table's file of a sidecar's window lies, below the archive's folder. */
export const fileOf = (sidecar: Sidecar, table: ArchiveTable | 'windows'): string =>
  join(...archiveFolder({ ...sidecar, table }), archiveFileName({ ...sidecar, table }))

/** Reads the log out of its archive, window after window, and holds every record to the one before. */
export class ArchivedLog {
  readonly #dir: string
  readonly #onFinding: OnFinding
  /** Null where a record before could not be read: the next one is believed. */
  #at: EnginePosition | null = nowhere
  #pos: Pos | null = null

  constructor(dir: string, onFinding: OnFinding) {
    this.#dir = dir
    this.#onFinding = onFinding
  }

  /** What stands between is not known: a window is missing. */
  lost(): void {
    this.#at = null
  }

  /** Every record of a window that can be read; what is wrong is told. */
  async *records(sidecar: Sidecar): AsyncGenerator<ArchivedRecord> {
    for (const file of sidecar.files) {
      const name = fileOf(sidecar, file.table)
      const onProblem = (problem: FileProblem): void => {
        this.#at = null
        this.#onFinding({ ...problem, file: name })
      }
      for await (const { row, line } of rowsOf({ path: join(this.#dir, name), sidecar, file, onProblem })) {
        const archived = this.#archived(row as OutputRow, (kind, problem) =>
          this.#onFinding({ kind, file: name, line, problem }),
        )
        if (archived) yield archived
      }
    }
  }

  #archived(row: OutputRow, problem: (kind: 'changed' | 'log', text: string) => void): ArchivedRecord | null {
    const value = row.record
    const record = decoded(value)
    if (typeof record === 'string') {
      problem('changed', `its record does not decode: ${record}`)
      this.#at = null
      return null
    }
    const cells = outputsTable.toCells(row)
    for (const [i, expected] of outputsTable.toCells(outputRow(record, value)).entries())
      if (cells[i] !== expected)
        problem(
          'changed',
          `${String(outputsTable.columns[i])} should be ${expected}, as its record says; found ${String(cells[i])}`,
        )
    if (this.#pos !== null && record.pos === this.#pos) problem('log', `pos does not rise: it follows ${this.#pos}`)
    const wrong = this.#at && positionProblem(this.#at, record, value)
    if (wrong) problem('log', wrong)
    this.#at = record.at
    this.#pos = record.pos
    return { record, value }
  }
}

const decoded = (value: Buffer): LogRecord | string => {
  try {
    return decodeLogRecord(value)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
