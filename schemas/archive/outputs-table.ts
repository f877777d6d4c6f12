import type { LogRecord } from '../../core/events.ts'
import type { Pos } from '../../core/ids.ts'
import { base64, bigints, defineTable, hex, oneOf, optional, type Table, time } from './table.ts'

/** A record of `engine.outputs`, verbatim: `record` is the bytes of the Kafka value, enough to refill the topic. */
export type OutputRow = {
  readonly pos: Pos
  readonly kind: LogRecord['kind']
  readonly epoch: bigint
  readonly random: bigint
  readonly seq: bigint
  readonly chain: Buffer
  /** The engine's time, or the operator's for what a command caused; null for what has none. */
  readonly time: bigint | null
  readonly record: Buffer
}

export const outputsTable: Table<OutputRow> = defineTable<OutputRow>('outputs', {
  pos: bigints<Pos>(),
  kind: oneOf('Output', 'Reference', 'Session', 'Tick', 'Gap', 'Correction', 'Admit', 'Redrive', 'Refused', 'Note'),
  epoch: bigints(),
  random: bigints(),
  seq: bigints(),
  chain: hex,
  time: optional(time),
  record: base64,
})

/** The row of one record; `value` is the bytes that `record` was decoded from. */
export const outputRow = (record: LogRecord, value: Buffer): OutputRow => ({
  pos: record.pos,
  kind: record.kind,
  epoch: record.at.epoch,
  random: record.at.random,
  seq: record.at.seq,
  chain: record.at.chain,
  time: timeOf(record),
  record: value,
})

const timeOf = (record: LogRecord): bigint | null => {
  switch (record.kind) {
    case 'Output':
    case 'Reference':
      return record.output.time
    case 'Session':
    case 'Tick':
      return null
    case 'Gap':
    case 'Correction':
    case 'Admit':
    case 'Redrive':
    case 'Refused':
    case 'Note':
      return record.command.time
  }
}
