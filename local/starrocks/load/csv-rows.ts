import { parse } from 'csv-parse/sync'
import { BodyError, type ParsedRow, type RowBatch } from './json-rows.ts'
import type { LoadFormat } from './load-headers.ts'
import { limits } from '../limits.ts'
import type { RawValue } from '../sql/value-reader.ts'

type CsvFormat = Extract<LoadFormat, { kind: 'csv' }>

const nullField = '\\N'

/**
 * Cuts a CSV body into rows, batch by batch. Without `enclose` and `escape` a separator is a separator wherever it
 * stands, as in StarRocks; with them the library reads the fields. `\N` is NULL.
 * @throws BodyError for quotes that never close
 */
export function* csvRows(body: Buffer, format: CsvFormat): Generator<RowBatch> {
  const records = format.enclose === '' && format.escape === '' ? plainRows(body, format) : enclosedRows(body, format)
  let rows: ParsedRow[] = []
  for (const row of records) {
    rows.push(row)
    if (rows.length === limits.chunkRows) {
      yield { rows }
      rows = []
    }
  }
  if (rows.length > 0) yield { rows }
}

function* plainRows(body: Buffer, format: CsvFormat): Generator<ParsedRow> {
  const delimiter = Buffer.from(format.rowDelimiter)
  let start = 0
  for (let line = 0; start < body.length; line += 1) {
    const found = body.indexOf(delimiter, start)
    const end = found < 0 ? body.length : found
    if (end - start > limits.maxRowBytes)
      throw new BodyError(`line ${line + 1} is larger than ${limits.maxRowBytes} bytes`)
    const text = body.toString('utf8', start, end)
    start = end + delimiter.length
    if (line < format.skipHeader || text === '') continue
    yield { kind: 'fields', fields: text.split(format.columnSeparator).map(readField), text: () => text }
  }
}

function* enclosedRows(body: Buffer, format: CsvFormat): Generator<ParsedRow> {
  let records: string[][]
  try {
    records = parse(body, {
      delimiter: format.columnSeparator,
      record_delimiter: format.rowDelimiter,
      quote: format.enclose === '' ? false : format.enclose,
      escape: format.escape === '' ? format.enclose : format.escape,
      from: format.skipHeader + 1,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: limits.maxRowBytes,
    })
  } catch (error) {
    throw new BodyError(`Failed to parse csv: ${(error as Error).message}`, { cause: error })
  }
  for (const fields of records) {
    yield { kind: 'fields', fields: fields.map(readField), text: () => fields.join(format.columnSeparator) }
  }
}

const readField = (field: string): RawValue => (field === nullField ? null : field)
