import { types } from 'cassandra-driver'
import { isAmount } from '../../core/money.ts'
import { CqlFailure, type CqlParam, CqlTuple, CqlVarint } from './port.ts'

export type EncodedParams = {
  /** As the driver sends them on: bytes, which it leaves as they are, or its mark for a column that is not set. */
  readonly values: (Buffer | typeof types.unset)[]
  /** How many bytes they are on the wire, their lengths included. */
  readonly bytes: number
}

/**
 * A statement's parameters in the bytes of the native protocol. The driver would do it too, from copies of every value
 * and with a buffer for each field of each UDT: twice the work, and most of a busy settle's garbage. A value says its
 * type: bigint is bigint, number int, string text, and the fields of a UDT are in the type's order.
 * @throws CqlFailure `refused` for a bigint beyond int64 (it would be wrapped in silence), a number that is no int, and
 * undefined
 */
export const encodeParams = (params: readonly CqlParam[], cql: string): EncodedParams => {
  writer.begin(cql)
  const ends = params.map(param => (isUnset(param) ? null : writer.value(param)))
  const all = writer.end()
  let from = 0
  const values = ends.map(end => {
    if (end === null) return types.unset
    const bytes = all.subarray(from, end)
    from = end
    return bytes
  })
  return { values, bytes: all.length + 4 * params.length }
}

/** Not written at all as a column of its own: no tombstone. */
const isUnset = (value: CqlParam): boolean =>
  value === null || (Array.isArray(value) && value.length === 0) || (value instanceof Map && value.size === 0)

class Writer {
  #cql = ''
  #at = 0
  #bytes = Buffer.allocUnsafe(16 * 1024)
  #view = viewOf(this.#bytes)

  begin(cql: string): void {
    this.#cql = cql
    this.#at = 0
  }

  /** All bytes since the beginning. */
  end(): Buffer {
    const all = Buffer.allocUnsafe(this.#at)
    this.#bytes.copy(all, 0, 0, this.#at)
    return all
  }

  /** Writes one value without its length. Returns where it ends. */
  value(value: CqlParam): number {
    switch (typeof value) {
      case 'bigint':
        if (!isAmount(value))
          throw this.#refused('out-of-range', `${value} does not fit an int64 (wrap a varint in CqlVarint)`)
        this.#reserve(8)
        this.#view.setBigInt64(this.#at, value)
        this.#at += 8
        break
      case 'number':
        if (!isInt(value)) throw this.#refused('out-of-range', `${value} is no int`)
        this.#int(value)
        break
      case 'string':
        this.#text(value)
        break
      case 'boolean':
        this.#reserve(1)
        this.#view.setUint8(this.#at++, value ? 1 : 0)
        break
      case 'object':
        this.#object(value)
        break
      default:
        throw this.#refused('argument', `a parameter is ${typeof value}`)
    }
    return this.#at
  }

  #object(value: Extract<CqlParam, object> | null): void {
    if (value === null) throw this.#refused('argument', 'a parameter is null')
    if (value instanceof CqlTuple) for (const each of value.elements) this.#sized(each)
    else if (value instanceof CqlVarint) this.#varint(value.value)
    else if (Buffer.isBuffer(value)) {
      this.#reserve(value.length)
      this.#at += value.copy(this.#bytes, this.#at)
    } else if (Array.isArray(value)) {
      this.#int(value.length)
      for (const each of value as readonly CqlParam[]) this.#sized(each)
    } else if (value instanceof Map) {
      this.#int(value.size)
      for (const [key, each] of value as ReadonlyMap<CqlParam, CqlParam>) {
        this.#sized(key)
        this.#sized(each)
      }
    } else {
      const fields = value as { readonly [field: string]: CqlParam }
      for (const name in fields) this.#sized(fields[name] as CqlParam)
    }
  }

  /** A value within another: its length first; nothing, an empty list and an empty map are null. */
  #sized(value: CqlParam): void {
    if (isUnset(value)) return this.#int(-1)
    const at = this.#at
    this.#int(0)
    // Known before the view is: writing it may have moved everything to a larger one.
    const end = this.value(value)
    this.#view.setInt32(at, end - at - 4)
  }

  #int(value: number): void {
    this.#reserve(4)
    this.#view.setInt32(this.#at, value)
    this.#at += 4
  }

  #text(text: string): void {
    this.#reserve(text.length * 3)
    // Most are a short word of ASCII, for which a call into C++ costs more than the loop.
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code > 0x7f) {
        this.#at += this.#bytes.write(text.slice(index), this.#at)
        return
      }
      this.#bytes[this.#at++] = code
    }
  }

  /** Two's complement, the highest byte first, as few bytes as the sign allows. */
  #varint(value: bigint): void {
    let size = 1
    while (BigInt.asIntN(size * 8, value) !== value) size++
    this.#reserve(size)
    for (let byte = size - 1; byte >= 0; byte--)
      this.#bytes[this.#at++] = Number(BigInt.asUintN(8, value >> BigInt(byte * 8)))
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + size))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
    this.#view = viewOf(larger)
  }

  #refused(code: string, text: string): CqlFailure {
    return new CqlFailure('refused', code, `${text} in: ${this.#cql}`)
  }
}

const isInt = (value: number): boolean => (value | 0) === value

const viewOf = ({ buffer, byteOffset, length }: Buffer): DataView => new DataView(buffer, byteOffset, length)

/** Nothing is awaited between its beginning and its end, so one is enough. */
const writer = new Writer()
