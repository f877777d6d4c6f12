import {
  DuckDBDateValue,
  DuckDBDecimalType,
  DuckDBTimestampValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
} from '@duckdb/node-api'

/** A column definition of MySQL's protocol, in the form that mysql2's server writes. */
export interface WireColumn {
  readonly catalog: string
  readonly schema: string
  readonly table: string
  readonly orgTable: string
  readonly name: string
  readonly orgName: string
  readonly characterSet: number
  readonly columnLength: number
  readonly columnType: number
  readonly flags: number
  readonly decimals: number
}

// mysql2 writes charset 33 as CESU-8, which no client reads as it was meant; 45 is utf8mb4_general_ci.
const utf8 = 45
const binary = 63

const wire = {
  tiny: 0x01,
  short: 0x02,
  long: 0x03,
  float: 0x04,
  double: 0x05,
  longLong: 0x08,
  date: 0x0a,
  datetime: 0x0c,
  newDecimal: 0xf6,
  varString: 0xfd,
  string: 0xfe,
} as const

interface WireShape {
  readonly columnType: number
  readonly columnLength: number
  readonly decimals: number
  readonly characterSet: number
}

const numeric = (columnType: number, columnLength: number, decimals = 0): WireShape => ({
  columnType,
  columnLength,
  decimals,
  characterSet: binary,
})

/** How StarRocks announces a column of this type; LARGEINT, which MySQL has not, goes as a string there too. */
export function wireColumn(name: string, type: DuckDBType): WireColumn {
  const shape = wireShape(type)
  return { catalog: 'def', schema: '', table: '', orgTable: '', name, orgName: name, flags: 0, ...shape }
}

export function textColumn(name: string): WireColumn {
  return { catalog: 'def', schema: '', table: '', orgTable: '', name, orgName: name, flags: 0, ...text }
}

const text: WireShape = { columnType: wire.varString, columnLength: 65_533, decimals: 0, characterSet: utf8 }

const shapes = new Map<DuckDBTypeId, WireShape>([
  [DuckDBTypeId.BOOLEAN, numeric(wire.tiny, 1)],
  [DuckDBTypeId.TINYINT, numeric(wire.tiny, 4)],
  [DuckDBTypeId.SMALLINT, numeric(wire.short, 6)],
  [DuckDBTypeId.UTINYINT, numeric(wire.short, 6)],
  [DuckDBTypeId.INTEGER, numeric(wire.long, 11)],
  [DuckDBTypeId.USMALLINT, numeric(wire.long, 11)],
  [DuckDBTypeId.BIGINT, numeric(wire.longLong, 20)],
  [DuckDBTypeId.UINTEGER, numeric(wire.longLong, 20)],
  [DuckDBTypeId.FLOAT, numeric(wire.float, 12, 31)],
  [DuckDBTypeId.DOUBLE, numeric(wire.double, 22, 31)],
  [DuckDBTypeId.DATE, numeric(wire.date, 10)],
  [DuckDBTypeId.TIMESTAMP, numeric(wire.datetime, 26, 6)],
  [DuckDBTypeId.VARCHAR, text],
])

function wireShape(type: DuckDBType): WireShape {
  if (type instanceof DuckDBDecimalType) return numeric(wire.newDecimal, type.width + 2, type.scale)
  return shapes.get(type.typeId) ?? { ...text, columnType: wire.string }
}

/** A value as the text protocol carries it: exact, and DATETIME with six digits whenever it has a fraction. */
export function wireText(value: DuckDBValue): string | null {
  if (value === null) return null
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (value instanceof DuckDBTimestampValue) return datetimeText(value.micros)
  if (value instanceof DuckDBDateValue) return datetimeText(BigInt(value.days) * 86_400_000_000n).slice(0, 10)
  return String(value)
}

function datetimeText(micros: bigint): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n
  const seconds = new Date(Number((micros - fraction) / 1000n)).toISOString().slice(0, 19).replace('T', ' ')
  return fraction === 0n ? seconds : `${seconds}.${String(fraction).padStart(6, '0')}`
}
