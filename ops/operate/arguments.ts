import { InvalidArgumentError } from 'commander'
import type { EnginePosition } from '../../core/events.ts'
import { amount, type Amount, pos, type Pos, userId, type UserId, version, type Version } from '../../core/ids.ts'
import { maxAmount } from '../../core/money.ts'
import { operateLimits } from './limits.ts'

const maxU64 = 2n ** 64n - 1n

/** Parsers of arguments: commander adds the argument's name and value to what they say. */
const wrong = (message: string): InvalidArgumentError => new InvalidArgumentError(message)

const whole = (text: string, { min, max, what }: { min: bigint; max: bigint; what: string }): bigint => {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : null
  if (value === null || value < min || value > max) throw wrong(`It must be ${what}: digits only, ${min} to ${max}.`)
  return value
}

const line = (text: string, { max, what }: { max: number; what: string }): string => {
  const trimmed = text.trim()
  if (trimmed === '' || trimmed.length > max || /\p{Cc}/u.test(trimmed))
    throw wrong(`It must say ${what}, in one line of at most ${max} characters.`)
  return trimmed
}

export const parseWho = (text: string): string =>
  line(text, { max: operateLimits.whoChars, what: 'who gives the command' })
export const parseWhy = (text: string): string =>
  line(text, { max: operateLimits.whyChars, what: 'why: an incident, a ticket, a decision' })

export const parseId = (text: string): string => {
  if (!/^[\w.:-]+$/.test(text) || text.length > operateLimits.idChars)
    throw wrong(`It must be 1 to ${operateLimits.idChars} of a–z, A–Z, 0–9, "_", ".", ":" and "-".`)
  return text
}

export const parseWaitMs = (text: string): number =>
  Number(whole(text, { min: 0n, max: BigInt(operateLimits.waitMs), what: 'a number of milliseconds' }))

export const parseUser = (text: string): UserId =>
  userId(whole(text, { min: 0n, max: maxAmount, what: 'the id of a user' }))
export const parseVersion = (text: string): Version =>
  version(whole(text, { min: 1n, max: maxAmount, what: "a version of the user's balance in the asset" }))
export const parsePos = (text: string): Pos =>
  pos(whole(text, { min: 1n, max: maxAmount, what: 'the pos of a record of the log, in microseconds' }))

export const parseAmount = (text: string): Amount => {
  if (/^\d+[.,]\d*$/.test(text))
    throw wrong("Amounts are whole numbers of the asset's smallest unit, without a point; --dry-run shows both.")
  return amount(whole(text, { min: 0n, max: maxAmount, what: "a whole number of the asset's smallest unit" }))
}

/** A place in the engine's sequence, as an operator names it. */
export type EnginePoint = Omit<EnginePosition, 'chain'>

const form = '<epoch>/<random>/<seq>'

export const parsePoint = (text: string): EnginePoint => {
  const parts = text.split('/')
  if (parts.length !== 3) throw wrong(`It must be ${form}, as the log and settle status tell it.`)
  const [epoch, random, seq] = parts.map(part => whole(part, { min: 0n, max: maxU64, what: `${form}, each a number` }))
  return { epoch, random, seq } as EnginePoint
}

export const parsePosition = (text: string): EnginePosition => {
  const [, point, chain] = /^(.*)\/([0-9a-fA-F]{64})$/.exec(text) ?? []
  if (point === undefined || chain === undefined)
    throw wrong(`It must be ${form}/<chain>, the chain in 64 hexadecimal digits.`)
  return { ...parsePoint(point), chain: Buffer.from(chain, 'hex') }
}

export const pointText = ({ epoch, random, seq }: EnginePoint): string => `${epoch}/${random}/${seq}`
export const positionText = (position: EnginePosition): string =>
  `${pointText(position)}/${position.chain.toString('hex')}`
