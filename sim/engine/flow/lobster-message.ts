import type { Side } from '../../../core/events.ts'

/** A flow file that can't be used: which file and line, the text there, and why. */
export class FlowFileError extends Error {
  override readonly name = 'FlowFileError'

  constructor({ file, line, text, reason }: { file: string; line: number; text: string; reason: string }) {
    super(`${file}: line ${line}: ${JSON.stringify(text.slice(0, 120))}: ${reason}`)
  }
}

type Known = {
  /** The file's own number of the order. */
  readonly order: bigint
  /** Shares. */
  readonly size: bigint
  /** Dollars × 10^4 a share. */
  readonly price: bigint
  /** Of the resting order, also when it is executed. */
  readonly side: Side
}

/** A line of a LOBSTER message file; `timeUs` counts from midnight. */
export type LobsterMessage = { readonly timeUs: bigint } & (
  | ({ readonly kind: 'submit' | 'reduce' | 'cancel' | 'execute' } & Known)
  /** Types 5 to 7: hidden executions, auctions and halts. */
  | { readonly kind: 'other' }
)

const kinds = { '1': 'submit', '2': 'reduce', '3': 'cancel', '4': 'execute' } as const
const otherTypes = new Set(['5', '6', '7'])
const limits = { size: 10n ** 9n, price: 10n ** 10n, order: 2n ** 63n - 1n } as const

/** The message of one line, or why it is none. */
export const parseLobsterLine = (
  text: string,
): LobsterMessage | { readonly kind: 'malformed'; readonly reason: string } => {
  const fields = text.split(',')
  const [time = '', type = '', order = '', size = '', price = '', direction = ''] = fields
  const malformed = (reason: string) => ({ kind: 'malformed', reason }) as const
  if (fields.length !== 6) return malformed(`${fields.length} fields, not time,type,order id,size,price,direction`)
  if (!/^\d{1,6}(\.\d{1,12})?$/.test(time))
    return malformed(`time ${JSON.stringify(time)} is not seconds after midnight`)
  const timeUs = microseconds(time)
  for (const [name, value] of Object.entries({ 'order id': order, size, price, direction }))
    if (!/^-?\d{1,19}$/.test(value)) return malformed(`${name} ${JSON.stringify(value)} is not an integer`)
  if (otherTypes.has(type)) return { kind: 'other', timeUs }
  if (!isKnownType(type)) return malformed(`type ${JSON.stringify(type)} is not one of 1 to 7`)
  for (const [name, value] of Object.entries({ order, size, price }) as ['order' | 'size' | 'price', string][])
    if (BigInt(value) < 1n || BigInt(value) > limits[name])
      return malformed(`${name === 'order' ? 'order id' : name} ${value} is not from 1 to ${limits[name]}`)
  if (direction !== '1' && direction !== '-1')
    return malformed(`direction ${direction} is neither 1 (buy) nor -1 (sell)`)
  const side = direction === '1' ? 'Buy' : 'Sell'
  return { kind: kinds[type], timeUs, order: BigInt(order), size: BigInt(size), price: BigInt(price), side }
}

const isKnownType = (type: string): type is keyof typeof kinds => Object.hasOwn(kinds, type)

const microseconds = (time: string): bigint => {
  const [seconds = '0', fraction = ''] = time.split('.')
  return BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0').slice(0, 6))
}
