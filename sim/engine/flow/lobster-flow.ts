import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import type { ReferenceData, Side } from '../../../core/events.ts'
import { amount, assetId, symbolId, userId } from '../../../core/ids.ts'
import type { EngineCommand, PlaceOrder } from '../command.ts'
import { maxOrderValue } from '../matching-engine.ts'
import type { EngineView, Flow } from './flow.ts'
import { LineReader } from './line-reader.ts'
import { FlowFileError, type LobsterMessage, parseLobsterLine } from './lobster-message.ts'

export type LobsterFlowSettings = {
  readonly file: string
  /** A line's user is its order id modulo this; at least 2. */
  readonly users: number
  /** How many orders to submit; null for all of the file. */
  readonly orders: number | null
  /** The engine's clock at the file's first message. */
  readonly startUs: bigint
  /** Of the file's first message. */
  readonly firstTimeUs: bigint
}

/** Lines that gave no command, by reason. */
export type Skipped = {
  /** The order is not open: never seen in this file, or closed by our own matching before the file closes it. */
  notOpen: number
  /** A submission with the number of an order that is open. */
  duplicate: number
  /** Types 5 to 7. */
  other: number
}

type Cursor = {
  /** Of the next line. */
  line: number
  offset: number
  orders: number
  timeUs: string
  /** The next line's user was funded for it: it is not funded again. */
  funded: boolean
  skipped: Skipped
}

type Known = Exclude<LobsterMessage, { kind: 'other' }>
type Current = { readonly message: LobsterMessage; readonly end: number }

const base = { asset: assetId(1), decimals: 4 }
const quote = { asset: assetId(2), name: 'USD', decimals: 4 }
const symbol = symbolId(1)
/** A share in its smallest units: fees are taken in fractions of it. */
const lot = 10_000n

/** The reference data of a flow file: one symbol, shares against dollars. */
export const lobsterReference = (name: string, house: bigint): ReferenceData => ({
  assets: [{ ...base, name }, quote],
  symbols: [
    {
      symbol,
      name: `${name}-${quote.name}`,
      base: base.asset,
      quote: quote.asset,
      lot: amount(lot),
      priceScale: 4,
      quantityScale: 0,
    },
  ],
  house: userId(house),
})

/** `AAPL_2012-06-21_34200000_57600000_message_10.csv` is about AAPL. */
export const symbolOfFile = (file: string): string => {
  const name = /^[A-Za-z][A-Za-z0-9]*/.exec(basename(file))?.[0].toUpperCase().slice(0, 16)
  return name === undefined || name === quote.name ? 'STOCK' : name
}

/**
 * Reads the whole file once, so that nothing of a bad file is ever traded.
 * @throws FlowFileError at the first malformed line, or when there is none at all.
 */
export const checkLobsterFile = (file: string): { readonly sha256: string; readonly firstTimeUs: bigint } => {
  const hash = createHash('sha256')
  const reader = openFile(file)
  let firstTimeUs: bigint | null = null
  try {
    for (let line = reader.next(); line; line = reader.next()) {
      const message = parseLobsterLine(line.text)
      if (message.kind === 'malformed')
        throw new FlowFileError({ file, line: line.number, text: line.text, reason: message.reason })
      firstTimeUs ??= message.timeUs
      hash.update(line.text).update('\n')
    }
  } finally {
    reader.close()
  }
  if (firstTimeUs === null) throw new FlowFileError({ file, line: 1, text: '', reason: 'the file has no message' })
  return { sha256: hash.digest('hex'), firstTimeUs }
}

const openFile = (file: string): LineReader => {
  try {
    return new LineReader(file)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new FlowFileError({ file, line: 0, text: '', reason: `can't be opened (${code})` })
  }
}

/**
 * Replays a recorded market: a submission places a limit order, a reduction and a cancel act on it, an execution is a
 * marketable order of the other side from another user. Whoever can't pay for a line is funded just before it.
 */
export class LobsterFlow implements Flow {
  readonly #settings: LobsterFlowSettings
  #cursor: Cursor
  #reader: LineReader | null = null
  /** The next line, read but not yet done. */
  #current: Current | null = null

  constructor(settings: LobsterFlowSettings) {
    this.#settings = settings
    this.#cursor = {
      line: 1,
      offset: 0,
      orders: 0,
      timeUs: `${settings.startUs}`,
      funded: false,
      skipped: { notOpen: 0, duplicate: 0, other: 0 },
    }
  }

  get skipped(): Readonly<Skipped> {
    return this.#cursor.skipped
  }

  cursor(): Cursor {
    return { ...this.#cursor, skipped: { ...this.#cursor.skipped } }
  }

  resume(cursor: unknown): void {
    const { skipped, ...rest } = cursor as Cursor
    this.#cursor = { ...rest, skipped: { ...skipped } }
    this.#reader?.close()
    this.#reader = null
    this.#current = null
  }

  orders(): number {
    return this.#cursor.orders
  }

  ordersInAll(): number | null {
    return this.#settings.orders
  }

  nextTimeUs(): bigint | null {
    const current = this.#peek()
    return current && this.#timeOf(current.message)
  }

  next(view: EngineView): EngineCommand | null {
    for (let current = this.#peek(); current; current = this.#peek()) {
      const command = this.#commandOf(current.message, view)
      if (command?.kind === 'Deposit') {
        this.#cursor.funded = true
        return command
      }
      this.#cursor.timeUs = `${this.#timeOf(current.message)}`
      this.#step(current)
      if (!command) continue
      if (command.kind === 'Place') this.#cursor.orders++
      return command
    }
    return null
  }

  /** The next line; null at the end of the file or when enough orders were submitted. */
  #peek(): Current | null {
    const { orders } = this.#settings
    if (orders !== null && this.#cursor.orders >= orders) return null
    if (this.#current) return this.#current
    const { file } = this.#settings
    this.#reader ??= new LineReader(file, { number: this.#cursor.line, offset: this.#cursor.offset })
    const line = this.#reader.next()
    if (!line) return null
    const message = parseLobsterLine(line.text)
    if (message.kind === 'malformed')
      throw new FlowFileError({
        file,
        line: line.number,
        text: line.text,
        reason: `${message.reason} (the file changed)`,
      })
    this.#current = { message, end: line.end }
    return this.#current
  }

  #step(current: Current): void {
    this.#cursor.line++
    this.#cursor.offset = current.end
    this.#cursor.funded = false
    this.#current = null
  }

  /** A file whose time goes back does not take the engine's clock with it. */
  #timeOf({ timeUs }: LobsterMessage): bigint {
    const wanted = this.#settings.startUs + timeUs - this.#settings.firstTimeUs
    const before = BigInt(this.#cursor.timeUs)
    return wanted > before ? wanted : before
  }

  #commandOf(message: LobsterMessage, view: EngineView): EngineCommand | null {
    if (message.kind === 'other') return this.#skip('other')
    const timeUs = this.#timeOf(message)
    const open = view.orderOfClient(message.order)
    if (message.kind === 'submit') {
      if (open) return this.#skip('duplicate')
      const user = message.order % BigInt(this.#settings.users)
      const style = { timeInForce: 'GoodTillCancel', client: message.order } as const
      return this.#funded(timeUs, { ...orderFor(message, user, message.side), ...style }, view)
    }
    if (!open) return this.#skip('notOpen')
    switch (message.kind) {
      case 'reduce':
        return { kind: 'Reduce', timeUs, user: open.user, order: open.order, by: message.size * lot }
      case 'cancel':
        return { kind: 'Cancel', timeUs, user: open.user, order: open.order }
      case 'execute': {
        const side = message.side === 'Buy' ? 'Sell' : 'Buy'
        const user = this.#taker(message, view)
        return this.#funded(
          timeUs,
          { ...orderFor(message, user, side), timeInForce: 'ImmediateOrCancel', client: 0n },
          view,
        )
      }
    }
  }

  /** Another user than the owner of the line's order and, with three users or more, of the order it will meet first. */
  #taker({ order, side }: Known, view: EngineView): bigint {
    const users = BigInt(this.#settings.users)
    const maker = order % users
    const next = (order + 1n) % users
    const isInTheWay = view.best(symbol, side)?.user === next && users > 2n
    return isInTheWay ? (maker + 2n) % users : next
  }

  #funded(timeUs: bigint, order: PlaceOrder, view: EngineView): EngineCommand {
    const [asset, needed] =
      order.side === 'Buy' ? [quote.asset, (order.price * order.quantity) / lot] : [base.asset, order.quantity]
    const isShort = view.account(order.user, asset).available < needed
    if (isShort && !this.#cursor.funded && needed <= maxOrderValue)
      return { kind: 'Deposit', timeUs, user: order.user, asset, amount: needed * 10n }
    return { kind: 'Place', timeUs, ...order }
  }

  #skip(reason: keyof Skipped): null {
    this.#cursor.skipped[reason]++
    return null
  }
}

const orderFor = ({ size, price }: Known, user: bigint, side: Side) =>
  ({ user, symbol, side, type: 'Limit', price, quantity: size * lot, expiresAtUs: 0n }) as const
