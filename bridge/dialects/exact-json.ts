import { isUtf8 } from 'node:buffer'
import { DecodeError } from '../../schemas/decode-error.ts'

/** A number that is no integer of up to 20 characters, as it stands in the text. */
export class OtherNumber {
  readonly source: string

  constructor(source: string) {
    this.source = source
  }
}

/** JSON whose integers are exact: a bigint each. */
export type JsonValue = null | boolean | string | bigint | OtherNumber | readonly JsonValue[] | JsonObject
export type JsonObject = { readonly [name: string]: JsonValue }

// TypeScript's library knows the reviver's third argument from a later year than our target.
type Revive = (name: string, value: unknown, context: { readonly source?: string }) => unknown
const parse = JSON.parse as (text: string, revive: Revive) => unknown

/** As JSON writes integers, and as a string may write one: no fraction, exponent, plus, leading zero or −0. */
const integer = /^(0|-?[1-9]\d{0,18}|[1-9]\d{19})$/
export const integerOf = (text: string): bigint | undefined => (integer.test(text) ? BigInt(text) : undefined)

const exact: Revive = (_name, value, { source = '' }) =>
  typeof value === 'number' ? (integerOf(source) ?? new OtherNumber(source)) : value

/**
 * Parses what an untrusted peer sent, in time and memory linear in its length.
 * @throws DecodeError for what is not JSON in UTF-8, nests deeper than `maxDepth`, or names a field twice in one object
 */
export const parseExactJson = (bytes: Buffer, { what, maxDepth }: { what: string; maxDepth: number }): JsonValue => {
  if (!isUtf8(bytes)) throw new DecodeError(`${what}: not UTF-8`)
  const problem = firstProblem(bytes, maxDepth)
  if (problem) throw new DecodeError(`${what}: ${problem}`)
  try {
    return parse(bytes.toString('utf8'), exact) as JsonValue
  } catch (cause) {
    throw new DecodeError(`${what}: not JSON: ${(cause as Error).message}`, { cause })
  }
}

const [quote, backslash, colon] = [0x22, 0x5c, 0x3a]
const [openObject, closeObject, openArray, closeArray] = [0x7b, 0x7d, 0x5b, 0x5d]

/**
 * What the parser itself would not mind: it recurses as deep as the text nests, and of a name given twice it keeps the
 * last in silence. Text that is not JSON is left to the parser.
 */
const firstProblem = (bytes: Buffer, maxDepth: number): string | undefined => {
  /** The names met in each open object; null for an array. */
  const open: (Set<string> | null)[] = []
  let text = { from: 0, to: 0 }
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case quote: {
        const from = at + 1
        for (at = from; at < bytes.length && bytes[at] !== quote; at++) if (bytes[at] === backslash) at++
        text = { from, to: at }
        break
      }
      case openObject:
      case openArray:
        if (open.length === maxDepth) return `nests deeper than ${maxDepth} at byte ${at}`
        open.push(bytes[at] === openObject ? new Set() : null)
        break
      case closeObject:
      case closeArray:
        open.pop()
        break
      case colon: {
        const name = bytes.toString('latin1', text.from, text.to)
        // Two spellings of one name would pass for two names.
        if (name.includes('\\')) return `the name "${name.slice(0, 40)}" at byte ${text.from} is written with an escape`
        const names = open.at(-1)
        if (names?.has(name)) return `"${name.slice(0, 40)}" at byte ${text.from} stands twice in one object`
        names?.add(name)
        break
      }
      default:
    }
  }
  return undefined
}
