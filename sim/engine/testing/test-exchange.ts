import type { EngineOutput, ReferenceData } from '../../../core/events.ts'
import { amount, assetId, symbolId, userId } from '../../../core/ids.ts'
import type { EngineCommand, PlaceOrder } from '../command.ts'
import { type ChangeName, MatchingEngine } from '../matching-engine.ts'

export const cash = 1
export const coin = 2
export const house = 99n
const lot = 10n

const reference: ReferenceData = {
  assets: [
    { asset: assetId(cash), name: 'CASH', decimals: 2 },
    { asset: assetId(coin), name: 'COIN', decimals: 3 },
  ],
  symbols: [
    {
      symbol: symbolId(1),
      name: 'COIN-CASH',
      base: assetId(coin),
      quote: assetId(cash),
      lot: amount(lot),
      priceScale: 2,
      quantityScale: 2,
    },
  ],
  house: userId(house),
}

type Untimed = EngineCommand extends infer Each ? (Each extends EngineCommand ? Omit<Each, 'timeUs'> : never) : never

/** An engine with one symbol (lot 10), makers 100 bp, takers 200 bp, and short words for what a test does to it. */
export class TestExchange {
  readonly engine: MatchingEngine
  readonly outputs: EngineOutput[] = []
  timeUs = 1_000n

  constructor({ unsaid = [] }: { readonly unsaid?: readonly ChangeName[] } = {}) {
    this.engine = new MatchingEngine({ fees: { makerBp: 100n, takerBp: 200n }, unsaid })
    this.run({ kind: 'Reference', reference })
  }

  /** Runs a command that must not be refused. */
  run(command: Untimed): EngineOutput {
    this.timeUs += 1n
    const executed = this.engine.execute({ timeUs: this.timeUs, ...command })
    if (executed.kind === 'refused') throw new Error(`refused: ${executed.reason}`)
    this.outputs.push(executed.output)
    return executed.output
  }

  refusal(command: Untimed): string {
    const executed = this.engine.execute({ timeUs: this.timeUs, ...command })
    return executed.kind === 'refused' ? executed.reason : 'not refused'
  }

  fund(user: bigint, { cash: money = 0n, coin: coins = 0n }: { readonly cash?: bigint; readonly coin?: bigint }): void {
    if (money > 0n) this.run({ kind: 'Deposit', user, asset: cash, amount: money })
    if (coins > 0n) this.run({ kind: 'Deposit', user, asset: coin, amount: coins })
  }

  place(order: Partial<PlaceOrder> & Pick<PlaceOrder, 'user' | 'side' | 'quantity'>): EngineOutput {
    const defaults = { symbol: 1, type: 'Limit', timeInForce: 'GoodTillCancel', price: 0n, expiresAtUs: 0n } as const
    return this.run({ kind: 'Place', client: 0n, ...defaults, ...order })
  }

  /** The number of the order placed last. */
  get lastOrder(): bigint {
    return this.engine.ledger.nextOrder - 1n
  }

  /** [available, frozen]. */
  has(user: bigint, asset: number): readonly [bigint, bigint] {
    const { available, frozen } = this.engine.accounts.of(user, asset)
    return [available, frozen]
  }
}

/** `state filled/quantity remaining (reason)` of each update, by order. */
export const orderLines = ({ orders }: EngineOutput): readonly string[] =>
  orders.map(
    ({ order, state, filled, quantity, remaining, reason }) =>
      `${order} ${state} ${filled}/${quantity} ${remaining}${reason === '' ? '' : ` (${reason})`}`,
  )

/** `user asset available frozen reason ref` of each change. */
export const changeLines = ({ changes }: EngineOutput): readonly string[] =>
  changes.map(
    ({ user, asset, deltaAvailable, deltaFrozen, reason, ref }) =>
      `${user} ${asset === cash ? 'cash' : 'coin'} ${deltaAvailable} ${deltaFrozen} ${reason} ${ref}`,
  )
