import { types } from 'cassandra-driver'
import type { CqlValue } from './port.ts'

/** A column as the driver gives it: tuples become arrays, whatever is not set becomes null. */
export const readValue = (value: unknown): CqlValue => {
  if (value === undefined || value === null) return null
  if (typeof value !== 'object' || Buffer.isBuffer(value)) return value as CqlValue
  if (value instanceof types.Tuple) return value.elements.map(readValue)
  if (Array.isArray(value)) return value.map(readValue)
  if (value instanceof Map) return new Map([...value].map(([key, each]) => [readValue(key), readValue(each)]))
  if (value instanceof types.InetAddress) return value.toString()
  if (value instanceof types.Uuid) return value.toString()
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, readValue(each)]))
}
