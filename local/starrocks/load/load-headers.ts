import type { IncomingHttpHeaders } from 'node:http'
import { randomUUID } from 'node:crypto'
import { limits } from '../limits.ts'

export type LoadFormat =
  | { readonly kind: 'json'; readonly shape: 'array' | 'objects' }
  | {
      readonly kind: 'csv'
      readonly columnSeparator: string
      readonly rowDelimiter: string
      readonly skipHeader: number
      readonly enclose: string
      readonly escape: string
    }

/** What the headers of a Stream Load ask for. */
export interface LoadRequest {
  readonly label: string
  readonly format: LoadFormat
  /** Names in the order of a CSV's fields; empty: all columns of the table in its order. */
  readonly columns: readonly string[]
  readonly maxFilterRatio: number
  readonly mergeCondition: string | undefined
  readonly compression: 'none' | 'gzip'
  readonly timeoutMs: number
}

export type ParsedHeaders =
  | { readonly kind: 'load'; readonly request: LoadRequest }
  | { readonly kind: 'refused'; readonly label: string; readonly message: string }

const unsupported = [
  'jsonpaths',
  'json_root',
  'where',
  'partitions',
  'temporary_partitions',
  'negative',
  'partial_update_mode',
  'trim_space',
  'log_rejected_record_num',
  'transmission_compression_type',
  'load_dop',
  'enable_merge_commit',
  'merge_commit_interval_ms',
  'merge_commit_parallel',
  'two_phase_commit',
  'warehouse',
]

class HeaderRefusal extends Error {}

/** Reads the headers that StarRocks documents for Stream Load; what the stand-in does not do is refused by its name. */
export function parseLoadHeaders(headers: IncomingHttpHeaders): ParsedHeaders {
  const label = text(headers, 'label') ?? randomUUID()
  try {
    return { kind: 'load', request: readRequest(headers, label) }
  } catch (error) {
    if (error instanceof HeaderRefusal) return { kind: 'refused', label, message: error.message }
    throw error
  }
}

function readRequest(headers: IncomingHttpHeaders, label: string): LoadRequest {
  if (!/^[-\w]{1,128}$/.test(label)) {
    throw new HeaderRefusal(`Label format error. regex: ^[-\\w]{1,128}$, label: ${label}`)
  }
  for (const name of unsupported) {
    if (headers[name] !== undefined)
      throw new HeaderRefusal(`header ${name} is not supported by the StarRocks stand-in`)
  }
  if (flag(headers, 'partial_update')) {
    throw new HeaderRefusal('header partial_update is not supported by the StarRocks stand-in')
  }
  // Both values are taken, neither changes anything: the stand-in is always as strict as strict_mode=true, and more.
  flag(headers, 'strict_mode')
  checkTimezone(text(headers, 'timezone'))
  return {
    label,
    format: readFormat(headers),
    columns: readColumns(text(headers, 'columns')),
    maxFilterRatio: number(headers, 'max_filter_ratio', { fallback: 0, min: 0, max: 1 }),
    mergeCondition: text(headers, 'merge_condition'),
    compression: readCompression(headers),
    timeoutMs:
      1000 *
      number(headers, 'timeout', {
        fallback: limits.defaultLoadTimeoutMs / 1000,
        min: limits.minLoadTimeoutMs / 1000,
        max: limits.maxLoadTimeoutMs / 1000,
      }),
  }
}

function text(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(',') : value
}

function flag(headers: IncomingHttpHeaders, name: string): boolean {
  const value = text(headers, name)?.toLowerCase() ?? 'false'
  if (value !== 'true' && value !== 'false') throw new HeaderRefusal(`Invalid ${name} value: ${value}`)
  return value === 'true'
}

function number(
  headers: IncomingHttpHeaders,
  name: string,
  range: { fallback: number; min: number; max: number },
): number {
  const value = text(headers, name)
  if (value === undefined) return range.fallback
  const parsed = value.trim() === '' ? Number.NaN : Number(value)
  if (!(parsed >= range.min && parsed <= range.max)) {
    throw new HeaderRefusal(`Invalid ${name} value: ${value}, it must be between ${range.min} and ${range.max}`)
  }
  return parsed
}

function readFormat(headers: IncomingHttpHeaders): LoadFormat {
  const name = (text(headers, 'format') ?? 'csv').toLowerCase()
  if (name === 'json') {
    flag(headers, 'ignore_json_size')
    return { kind: 'json', shape: flag(headers, 'strip_outer_array') ? 'array' : 'objects' }
  }
  if (name !== 'csv') throw new HeaderRefusal(`unknown data format: ${name}`)
  return {
    kind: 'csv',
    columnSeparator: separator(headers, 'column_separator', '\t'),
    rowDelimiter: separator(headers, 'row_delimiter', '\n'),
    skipHeader: number(headers, 'skip_header', { fallback: 0, min: 0, max: 1_000_000 }),
    enclose: singleChar(headers, 'enclose'),
    escape: singleChar(headers, 'escape'),
  }
}

/** Separators may be written `\t`, `\n`, `\r\n`, `\x01`; at most 50 bytes. */
function separator(headers: IncomingHttpHeaders, name: string, fallback: string): string {
  const written = text(headers, name)
  if (written === undefined) return fallback
  const value = written
    .replace(/\\x([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n')
    .replaceAll('\\r', '\r')
  if (value.length < 1 || value.length > 50) throw new HeaderRefusal(`Invalid ${name}: 1 to 50 characters`)
  return value
}

function singleChar(headers: IncomingHttpHeaders, name: string): string {
  const value = text(headers, name) ?? ''
  if (value.length > 1) throw new HeaderRefusal(`${name} must be a single character, not ${JSON.stringify(value)}`)
  return value
}

function readColumns(value: string | undefined): string[] {
  if (value === undefined) return []
  return value.split(',').map(part => {
    const name = part.trim().replace(/^`([^`]+)`$/, '$1')
    if (!/^[\p{L}_][\p{L}\p{N}_$]*$/u.test(name)) {
      throw new HeaderRefusal(
        `columns: '${name}' is not a column name; expressions are not supported by the StarRocks stand-in`,
      )
    }
    return name
  })
}

function readCompression(headers: IncomingHttpHeaders): 'none' | 'gzip' {
  const named = text(headers, 'compression')
  const encoding = text(headers, 'content-encoding')
  if (named !== undefined && encoding !== undefined) {
    throw new HeaderRefusal("Can't set both compression and Content-Encoding")
  }
  const value = (named ?? encoding ?? 'none').toLowerCase()
  if (value === 'gzip') return 'gzip'
  if (value === 'none' || value === 'identity') return 'none'
  throw new HeaderRefusal(`compression ${value} is not supported by the StarRocks stand-in, gzip is`)
}

function checkTimezone(zone: string | undefined): void {
  if (zone === undefined || /^[+-]\d\d:\d\d$/.test(zone)) return
  try {
    Intl.DateTimeFormat('en', { timeZone: zone })
  } catch {
    throw new HeaderRefusal(`Unknown or incorrect time zone: '${zone}'`)
  }
}
