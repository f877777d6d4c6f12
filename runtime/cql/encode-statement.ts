import { types } from 'cassandra-driver'
import { isAmount } from '../../core/money.ts'
import { LateValues } from './late-values.ts'
import { CqlFailure, type CqlParam, type CqlStatement, CqlTuple, CqlVarint } from './port.ts'

/** The length of a column that is not set, in the native protocol. */
const unsetLength = -2

/** Bytes, which the driver leaves as they are, or its mark for a column that is not set. */
type Value = Buffer | typeof types.unset

/**
 * A statement whose parameters are bytes of the native protocol, each after its length, in a buffer that it shares with
 * others: one object, however many values it was made of, and nothing of what those were.
 */
export class EncodedStatement implements CqlStatement {
  readonly cql: string
  readonly #slab: Buffer
  readonly #from: number
  readonly #to: number
  readonly #count: number

  constructor(cql: string, slab: Buffer, at: { readonly from: number; readonly to: number; readonly count: number }) {
    this.cql = cql
    this.#slab = slab
    this.#from = at.from
    this.#to = at.to
    this.#count = at.count
  }

  /** How many bytes its parameters are on the wire, their lengths included. */
  get bytes(): number {
    return this.#to - this.#from
  }

  /** As the driver sends them on. */
  get values(): Value[] {
    const values: Value[] = []
    for (let at = this.#from, index = 0; index < this.#count; index++) {
      const length = this.#slab.readInt32BE(at)
      at += 4
      values.push(length === unsetLength ? types.unset : this.#slab.subarray(at, at + length))
      at += Math.max(0, length)
    }
    return values
  }

  /** The same for a driver that keeps them until the store has answered, though it needs them once. */
  get lateValues(): LateValues {
    return new LateValues(this.#count, this)
  }

  /** All values, each after its length. */
  get written(): Buffer {
    return this.#slab.subarray(this.#from, this.#to)
  }

  get params(): readonly CqlParam[] {
    return this.values.map(value => (Buffer.isBuffer(value) ? value : null))
  }
}

/**
 * A statement's parameters in the bytes of the native protocol. The driver would do it too, from copies of every value
 * and with a buffer for each field of each UDT: twice the work, and most of a busy settle's garbage. A value says its
 * type: bigint is bigint, number int, string text, and the fields of a UDT are in the type's order.
 * @throws CqlFailure `refused` for a bigint beyond int64 (it would be wrapped in silence), a number that is no int, and
 * undefined
 */
export const encodeStatement = (statement: CqlStatement): EncodedStatement =>
  statement instanceof EncodedStatement ? statement : writer.encode(statement)

/** Not written at all as a column of its own: no tombstone. */
const isUnset = (value: CqlParam): boolean =>
  value === null || (Array.isArray(value) && value.length === 0) || (value instanceof Map && value.size === 0)

/** Statements of some hundred bytes share a buffer of so many. */
const slabBytes = 64 * 1024

class Writer {
  #cql = ''
  #slab = Buffer.allocUnsafeSlow(slabBytes)
  #view = viewOf(this.#slab)
  /** Where the statement begins. */
  #from = 0
  #at = 0

  encode({ cql, params }: CqlStatement): EncodedStatement {
    this.#cql = cql
    this.#from = this.#at
    for (const param of params) this.#sized(param, unsetLength)
    return new EncodedStatement(cql, this.#slab, { from: this.#from, to: this.#at, count: params.length })
  }

  /** Writes one value without its length. */
  #value(value: CqlParam): void {
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
  }

  #object(value: Extract<CqlParam, object> | null): void {
    if (value === null) throw this.#refused('argument', 'a parameter is null')
    if (value instanceof CqlTuple) for (const each of value.elements) this.#sized(each)
    else if (value instanceof CqlVarint) this.#varint(value.value)
    else if (Buffer.isBuffer(value)) {
      this.#reserve(value.length)
      this.#at += value.copy(this.#slab, this.#at)
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

  /** A value after its length; of nothing, an empty list and an empty map only a length that says so: null's within another. */
  #sized(value: CqlParam, empty = -1): void {
    if (isUnset(value)) return this.#int(empty)
    // Where in the statement, not in the buffer: writing the value may move all of it to another.
    const at = this.#at - this.#from
    this.#int(0)
    this.#value(value)
    this.#view.setInt32(this.#from + at, this.#at - this.#from - at - 4)
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
        this.#at += this.#slab.write(text.slice(index), this.#at)
        return
      }
      this.#slab[this.#at++] = code
    }
  }

  /** Two's complement, the highest byte first, as few bytes as the sign allows. */
  #varint(value: bigint): void {
    let size = 1
    while (BigInt.asIntN(size * 8, value) !== value) size++
    this.#reserve(size)
    for (let byte = size - 1; byte >= 0; byte--)
      this.#slab[this.#at++] = Number(BigInt.asUintN(8, value >> BigInt(byte * 8)))
  }

  /** What was written of the statement goes along to a buffer with room for it; the statements before it stay where they are. */
  #reserve(size: number): void {
    if (this.#at + size <= this.#slab.length) return
    const written = this.#at - this.#from
    const slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, (written + size) * 2))
    this.#slab.copy(slab, 0, this.#from, this.#at)
    this.#slab = slab
    this.#view = viewOf(slab)
    this.#from = 0
    this.#at = written
  }

  #refused(code: string, text: string): CqlFailure {
    return new CqlFailure('refused', code, `${text} in: ${this.#cql}`)
  }
}

const isInt = (value: number): boolean => (value | 0) === value

const viewOf = ({ buffer, byteOffset, length }: Buffer): DataView => new DataView(buffer, byteOffset, length)

/** Nothing is awaited between its beginning and its end, so one is enough. */
const writer = new Writer()
