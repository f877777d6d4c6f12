import { type DuckDBValue, DuckDBDateValue, DuckDBDecimalValue, DuckDBTimestampValue } from '@duckdb/node-api'
import type { ColumnType } from './column-type.ts'

/** A JSON number that a double does not hold exactly, as it was written. */
export class NumberText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** A field of a load before it has a type: a JSON value, or the text of a CSV field (null for \N). */
export type RawValue =
  | string
  | number
  | boolean
  | null
  | NumberText
  | readonly unknown[]
  | { readonly [key: string]: unknown }

/** Why a value does not fit its column. */
interface Misfit {
  readonly misfit: string
}

export type ValueReader = (value: RawValue) => DuckDBValue | Misfit

const integerBits: Record<string, bigint> = { tinyint: 8n, smallint: 16n, int: 32n, bigint: 64n, largeint: 128n }
const integerPattern = /^-?\d{1,40}$/
const decimalPattern = /^(-?)(\d*)(?:\.(\d*))?$/
const datetimePattern = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?$/

/** A function that reads one field for a column of this type, exactly or not at all. NULL passes: the caller judges it. */
export function readerFor(type: ColumnType): ValueReader {
  switch (type.kind) {
    case 'boolean':
      return readBoolean
    case 'tinyint':
    case 'smallint':
    case 'int':
      return integerReader(type.kind, Number)
    case 'bigint':
    case 'largeint':
      return integerReader(type.kind, value => value)
    case 'float':
    case 'double':
      return readDouble
    case 'decimal':
      return decimalReader(type.precision, type.scale)
    case 'datetime':
      return value => readDatetime(value)
    case 'date':
      return readDate
    case 'varchar':
    case 'char':
      return textReader(type.kind, type.bytes)
  }
}

function misfit(value: RawValue, reason: string): Misfit {
  return { misfit: `${show(value)} ${reason}` }
}

function show(value: RawValue): string {
  const text = value instanceof NumberText ? value.text : JSON.stringify(value)
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}

/** The text of a scalar, or undefined for objects, arrays and booleans. */
function scalarText(value: RawValue): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  return value instanceof NumberText ? value.text : undefined
}

function readBoolean(value: RawValue): DuckDBValue | Misfit {
  if (value === null || typeof value === 'boolean') return value
  const text = scalarText(value)?.toLowerCase()
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  return misfit(value, 'is not a BOOLEAN')
}

function integerReader(kind: string, convert: (value: bigint) => number | bigint): ValueReader {
  const max = 2n ** ((integerBits[kind] as bigint) - 1n) - 1n
  const min = -max - 1n
  const name = kind.toUpperCase()
  return value => {
    if (value === null) return null
    const text = scalarText(value)
    if (text === undefined || !integerPattern.test(text)) return misfit(value, `is not a ${name}`)
    const integer = BigInt(text)
    if (integer < min || integer > max) return misfit(value, `is out of the range of ${name}`)
    return convert(integer)
  }
}

function readDouble(value: RawValue): DuckDBValue | Misfit {
  if (value === null || typeof value === 'number') return value
  const text = scalarText(value)
  const number = text === undefined || text.trim() === '' ? Number.NaN : Number(text)
  return Number.isFinite(number) ? number : misfit(value, 'is not a DOUBLE')
}

function decimalReader(precision: number, scale: number): ValueReader {
  const name = `DECIMAL(${precision},${scale})`
  const limit = 10n ** BigInt(precision)
  return value => {
    if (value === null) return null
    if ((typeof value === 'number' && !Number.isInteger(value)) || isFraction(value)) {
      return misfit(value, `is an unquoted fraction, which is not exact: send a ${name} as a string`)
    }
    const parts = decimalPattern.exec(scalarText(value) ?? ' ')
    const whole = parts?.[2] ?? ''
    const fraction = (parts?.[3] ?? '').replace(/0+$/, '')
    if (!parts || whole + (parts[3] ?? '') === '') return misfit(value, `is not a ${name}`)
    if (fraction.length > scale) return misfit(value, `has more fractional digits than ${name}`)
    const unscaled = BigInt(whole + fraction.padEnd(scale, '0') || '0')
    if (unscaled >= limit) return misfit(value, `is out of the range of ${name}`)
    return new DuckDBDecimalValue(parts[1] === '-' ? -unscaled : unscaled, precision, scale)
  }
}

function isFraction(value: RawValue): boolean {
  return value instanceof NumberText && /[.eE]/.test(value.text)
}

/** Microseconds since 1970 of `YYYY-MM-DD[ hh:mm:ss[.ffffff]]`; StarRocks' DATETIME has no zone. */
function readDatetime(value: RawValue): DuckDBTimestampValue | Misfit | null {
  if (value === null) return null
  const parts = typeof value === 'string' ? datetimePattern.exec(value) : null
  if (!parts) return misfit(value, 'is not a DATETIME (YYYY-MM-DD hh:mm:ss[.ffffff])')
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(part => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second)
  const valid = date.getUTCDate() === day && date.getUTCMonth() === month - 1 && hour < 24 && minute < 60 && second < 60
  if (!valid) return misfit(value, 'is not a valid DATETIME')
  return new DuckDBTimestampValue(BigInt(date.getTime()) * 1000n + BigInt((parts[7] ?? '').padEnd(6, '0')))
}

function readDate(value: RawValue): DuckDBValue | Misfit {
  if (value === null) return null
  if (typeof value !== 'string' || value.length !== 10) return misfit(value, 'is not a DATE (YYYY-MM-DD)')
  const midnight = readDatetime(value)
  if (midnight === null || 'misfit' in midnight) return misfit(value, 'is not a valid DATE')
  return new DuckDBDateValue(Number(midnight.micros / 86_400_000_000n))
}

function textReader(kind: string, bytes: number): ValueReader {
  return value => {
    if (value === null) return null
    const text = scalarText(value)
    if (text === undefined) return misfit(value, `is not a ${kind.toUpperCase()}`)
    // A character is at most 3 bytes per UTF-16 unit: most values need no count.
    if (text.length * 3 > bytes && Buffer.byteLength(text) > bytes) {
      return misfit(value, `is longer than ${kind.toUpperCase()}(${bytes}): ${Buffer.byteLength(text)} bytes`)
    }
    return text
  }
}
