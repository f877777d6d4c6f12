import { types } from 'cassandra-driver'
import { isAmount } from '../../core/money.ts'
import { CqlFailure, type CqlParam, CqlTuple, type CqlValue, CqlVarint } from './port.ts'

export type BoundParams = {
  /** As the driver takes them. */
  readonly values: unknown[]
  /** About how many bytes they are on the wire. */
  readonly bytes: number
}

/**
 * A statement's parameters as the driver takes them.
 * @throws CqlFailure `refused` for a bigint beyond int64 (the driver would wrap it in silence) and for undefined
 */
export const bindParams = (params: readonly CqlParam[], cql: string): BoundParams => {
  let bytes = 0
  const bind = (value: CqlParam): unknown => {
    bytes += 8
    if (typeof value === 'bigint') {
      if (!isAmount(value)) throw outOfRange(value, cql)
      bytes += 4
      return value
    }
    if (typeof value === 'string') {
      bytes += value.length
      return value
    }
    if (typeof value === 'object') return bindObject(value)
    if (typeof value === 'number' || typeof value === 'boolean') return value
    throw new CqlFailure('refused', 'argument', `a parameter is ${typeof value} in: ${cql}`)
  }
  const bindObject = (value: Exclude<CqlParam, bigint | number | boolean | string>): unknown => {
    if (value === null) return types.unset
    if (value instanceof CqlVarint) {
      bytes += 17
      return value.value
    }
    if (value instanceof CqlTuple) return new types.Tuple(...value.elements.map(bindElement))
    if (Buffer.isBuffer(value)) {
      bytes += value.length
      return value
    }
    if (Array.isArray(value)) return value.length === 0 ? types.unset : (value as readonly CqlParam[]).map(bind)
    if (value instanceof Map) return value.size === 0 ? types.unset : bindMap(value)
    const bound: Record<string, unknown> = {}
    const fields = value as { readonly [field: string]: CqlParam }
    for (const name in fields) bound[name] = bindElement(fields[name] as CqlParam)
    return bound
  }
  /** Within a value there is no unset: nothing is null there, and the whole is still no tombstone. */
  const bindElement = (value: CqlParam): unknown => {
    const bound = bind(value)
    return bound === types.unset ? null : bound
  }
  const bindMap = (map: ReadonlyMap<CqlParam, CqlParam>): ReadonlyMap<unknown, unknown> => {
    const bound = new Map<unknown, unknown>()
    for (const [key, value] of map) bound.set(bind(key), bind(value))
    return bound
  }
  return { values: params.map(bind), bytes }
}

const outOfRange = (value: bigint, cql: string): CqlFailure =>
  new CqlFailure('refused', 'out-of-range', `${value} does not fit an int64 (wrap a varint in CqlVarint) in: ${cql}`)

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
