import { limits } from '../limits.ts'
import { NumberText, type RawValue } from '../sql/value-reader.ts'

/** Rows of a body that were cut out together, at most `limits.chunkRows` of them. */
export interface RowBatch {
  readonly rows: readonly ParsedRow[]
}

export type ParsedRow =
  | { readonly kind: 'object'; readonly fields: Readonly<Record<string, RawValue>>; readonly text: () => string }
  | { readonly kind: 'fields'; readonly fields: readonly RawValue[]; readonly text: () => string }
  | { readonly kind: 'unreadable'; readonly reason: string; readonly text: () => string }

/** The body as a whole is not what its headers say; nothing of it is loaded. */
export class BodyError extends Error {}

interface Span {
  readonly start: number
  readonly end: number
}

const code = (char: string): number => char.charCodeAt(0)
const quote = code('"')
const backslash = code('\\')
const comma = code(',')
const openBrace = code('{')
const closeBrace = code('}')
const openBracket = code('[')
const closeBracket = code(']')

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/**
 * Cuts a JSON body into its objects, batch by batch, so that only one batch is ever in memory as values.
 * Integers above 2^53 and fractions come as {@link NumberText}: as they were written.
 * @throws BodyError for a body that is not an array of objects (`array`) or objects one after the other (`objects`)
 */
export function* jsonRows(body: Buffer, shape: 'array' | 'objects'): Generator<RowBatch> {
  const range = shape === 'array' ? insideArray(body) : wholeBody(body)
  let spans: Span[] = []
  for (const span of objectSpans(body, range, shape)) {
    spans.push(span)
    if (spans.length === limits.chunkRows) {
      yield parseBatch(body, spans)
      spans = []
    }
  }
  if (spans.length > 0) yield parseBatch(body, spans)
}

function insideArray(body: Buffer): Span {
  const { start, end } = trimmed(body)
  if (body[start] !== openBracket || body[end - 1] !== closeBracket) {
    throw new BodyError('the body must be a JSON array of objects when strip_outer_array is true')
  }
  return { start: start + 1, end: end - 1 }
}

function wholeBody(body: Buffer): Span {
  const range = trimmed(body)
  if (body[range.start] === openBracket) {
    throw new BodyError(
      'The value is array type in json document stream, you can set strip_outer_array=true to parse each element of the array as individual rows',
    )
  }
  return range
}

function trimmed(body: Buffer): Span {
  let start = 0
  let end = body.length
  while (start < end && isBlank(body[start])) start += 1
  while (end > start && isBlank(body[end - 1])) end -= 1
  return { start, end }
}

function* objectSpans(body: Buffer, range: Span, shape: 'array' | 'objects'): Generator<Span> {
  let at = range.start
  let row = 0
  for (;;) {
    while (at < range.end && isBlank(body[at])) at += 1
    if (at >= range.end) {
      if (shape === 'array' && row > 0 && lastSignificant(body, range) === comma) throw trailing(row)
      return
    }
    if (row > 0 && shape === 'array') {
      if (body[at] !== comma) throw new BodyError(`Failed to parse json: ',' expected after row ${row}`)
      at += 1
      while (at < range.end && isBlank(body[at])) at += 1
    }
    if (body[at] !== openBrace) throw at >= range.end ? trailing(row) : notAnObject(row)
    const end = objectEnd(body, at, range.end)
    if (end < 0) throw new BodyError(`Failed to parse json: row ${row + 1} is not closed`)
    if (end - at > limits.maxRowBytes) throw new BodyError(`row ${row + 1} is larger than ${limits.maxRowBytes} bytes`)
    yield { start: at, end }
    row += 1
    at = end
  }
}

const trailing = (row: number): BodyError =>
  new BodyError(`Failed to parse json: ',' after row ${row} and no row after it`)
const notAnObject = (row: number): BodyError => new BodyError(`Failed to parse json: row ${row + 1} is not an object`)

function lastSignificant(body: Buffer, range: Span): number | undefined {
  let end = range.end
  while (end > range.start && isBlank(body[end - 1])) end -= 1
  return body[end - 1]
}

/** The offset after the object that opens at `start`, or -1. */
function objectEnd(body: Buffer, start: number, limit: number): number {
  let depth = 0
  for (let at = start; at < limit; at += 1) {
    const byte = body[at]
    if (byte === quote) {
      at = stringEnd(body, at, limit)
      if (at < 0) return -1
    } else if (byte === openBrace || byte === openBracket) {
      depth += 1
    } else if (byte === closeBrace || byte === closeBracket) {
      depth -= 1
      if (depth === 0) return at + 1
    }
  }
  return -1
}

/** The offset of the quote that closes the string opening at `start`, or -1. */
function stringEnd(body: Buffer, start: number, limit: number): number {
  let end = start
  for (;;) {
    end = body.indexOf(quote, end + 1)
    if (end < 0 || end >= limit) return -1
    let slashes = 0
    while (body[end - 1 - slashes] === backslash) slashes += 1
    if (slashes % 2 === 0) return end
  }
}

function parseBatch(body: Buffer, spans: readonly Span[]): RowBatch {
  const first = spans[0] as Span
  const last = spans.at(-1) as Span
  const whole = body.toString('utf8', first.start, last.end)
  const texts = (span: Span) => () => body.toString('utf8', span.start, span.end)
  // Objects of an array stand with their commas between them: one parse for all of them is several times faster.
  const objects = body.indexOf(comma, first.end) === first.end ? parseAll(`[${whole}]`) : undefined
  const rows = spans.map((span, index): ParsedRow => {
    const text = texts(span)
    if (objects) return { kind: 'object', fields: objects[index] as Record<string, RawValue>, text }
    try {
      return { kind: 'object', fields: parseExact(text()) as Record<string, RawValue>, text }
    } catch (error) {
      return { kind: 'unreadable', reason: `Failed to parse string to json: ${(error as Error).message}`, text }
    }
  })
  return { rows }
}

function parseAll(json: string): readonly unknown[] | undefined {
  try {
    return parseExact(json) as unknown[]
  } catch {
    return undefined
  }
}

/** A field with an unquoted number of 16 digits or more, a fraction or an exponent; what looks like one costs only time. */
const inexactNumber = /"\s*:\s*-?(?:\d{16}|\d+[.eE])/

function parseExact(json: string): unknown {
  if (!inexactNumber.test(json)) return JSON.parse(json)
  return JSON.parse(json, keepNumberText as (key: string, value: unknown) => unknown)
}

function keepNumberText(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context.source === undefined) return value
  return new NumberText(context.source)
}
