import type { Amount, AssetId, OrderId, Pos, Price, SymbolId, TradeId, UserId, Version } from './ids.ts'

/** One life of the engine. Epochs only rise; `random` tells two lives of one epoch apart. Both are u64. */
export type Session = { readonly epoch: bigint; readonly random: bigint }

/** Where the log stands in the engine's sequence: the last output taken, and the chain after it. */
export type EnginePosition = {
  readonly epoch: bigint
  readonly random: bigint
  readonly seq: bigint
  /** SHA-256(previous chain ‖ payload), 32 bytes; zeros only before the very first output. */
  readonly chain: Buffer
}

export type Side = 'Buy' | 'Sell'
export type OrderType = 'Limit' | 'Market'
export type TimeInForce = 'GoodTillCancel' | 'ImmediateOrCancel'
export type OrderState = 'New' | 'PartiallyFilled' | 'Filled' | 'Cancelled' | 'Rejected' | 'Expired'

/** The whole of an order after one change. Quantities are in the base asset's smallest unit. */
export type OrderUpdate = {
  readonly order: OrderId
  readonly user: UserId
  readonly symbol: SymbolId
  readonly side: Side
  readonly type: OrderType
  readonly timeInForce: TimeInForce
  /** 0 for a market order. */
  readonly price: Price
  /** What the order is for; a reduction lowers it. */
  readonly quantity: Amount
  readonly filled: Amount
  /** What may still fill: quantity − filled while open, 0 once closed. */
  readonly remaining: Amount
  readonly state: OrderState
  /** Why it was rejected, cancelled or expired; empty otherwise. */
  readonly reason: string
}

export type Trade = {
  readonly trade: TradeId
  readonly symbol: SymbolId
  readonly price: Price
  /** Base smallest units. */
  readonly quantity: Amount
  /** Exact quote smallest units that changed hands. */
  readonly quote: Amount
  readonly buyer: UserId
  readonly seller: UserId
  readonly buyOrder: OrderId
  readonly sellOrder: OrderId
  readonly taker: Side
  /** Smallest units of `buyFeeAsset`; paid to the house. */
  readonly buyFee: Amount
  readonly buyFeeAsset: AssetId
  readonly sellFee: Amount
  readonly sellFeeAsset: AssetId
}

export type ChangeReason = 'Deposit' | 'Withdrawal' | 'Correction' | 'Reserve' | 'Release' | 'Trade' | 'Fee'

/** The engine's own posting, with the values after it. */
export type BalanceChange = {
  readonly user: UserId
  readonly asset: AssetId
  readonly deltaAvailable: Amount
  readonly deltaFrozen: Amount
  readonly available: Amount
  readonly frozen: Amount
  readonly version: Version
  readonly reason: ChangeReason
  /** The trade, order or transfer that caused it. */
  readonly ref: bigint
}

export type Asset = { readonly asset: AssetId; readonly name: string; readonly decimals: number }
export type TradedSymbol = {
  readonly symbol: SymbolId
  readonly name: string
  readonly base: AssetId
  readonly quote: AssetId
  /** Base smallest units in one lot; prices are per lot and quantities are multiples of it. */
  readonly lot: Amount
  /** Digits after the point when a price or quantity is shown. */
  readonly priceScale: number
  readonly quantityScale: number
}
export type ReferenceData = {
  readonly assets: readonly Asset[]
  readonly symbols: readonly TradedSymbol[]
  /** The user that receives fees. */
  readonly house: UserId
}

/** What the engine emits for one input; the atomic unit. With `reference` set the three lists are empty. */
export type EngineOutput = {
  /** The engine's clock, int64 µs. */
  readonly time: bigint
  readonly reference: ReferenceData | null
  readonly orders: readonly OrderUpdate[]
  readonly trades: readonly Trade[]
  readonly changes: readonly BalanceChange[]
}

/** An operator's command: its id acts once; who and why are kept for ever. */
export type Command = {
  readonly id: string
  readonly who: string
  readonly why: string
  /** The operator's clock, int64 µs. */
  readonly time: bigint
}

/** The missing version of a user's asset, supplied by an operator; its deltas count as external flow. */
export type CorrectionBody = {
  readonly user: UserId
  readonly asset: AssetId
  readonly version: Version
  readonly available: Amount
  readonly frozen: Amount
  readonly deltaAvailable: Amount
  readonly deltaFrozen: Amount
}

type LogHead = { readonly pos: Pos; readonly at: EnginePosition }

/** A record of `engine.outputs`. */
export type LogRecord =
  | (LogHead & { readonly kind: 'Output'; readonly output: EngineOutput })
  | (LogHead & { readonly kind: 'Reference'; readonly output: EngineOutput })
  | (LogHead & { readonly kind: 'Session' })
  | (LogHead & { readonly kind: 'Tick' })
  | (LogHead & { readonly kind: 'Gap'; readonly command: Command; readonly lostAfter: EnginePosition })
  | (LogHead & { readonly kind: 'Correction'; readonly command: Command; readonly correction: CorrectionBody })
  | (LogHead & { readonly kind: 'Admit'; readonly command: Command; readonly refusedPos: Pos })
  | (LogHead & { readonly kind: 'Redrive'; readonly command: Command; readonly user: UserId })
  | (LogHead & { readonly kind: 'Refused'; readonly command: Command; readonly reason: string })
  | (LogHead & { readonly kind: 'Note'; readonly command: Command; readonly text: string })

/** A record of `operator.commands`: what an operator asks of the bridge, which answers in `engine.outputs`. */
export type CommandRecord =
  | {
      readonly kind: 'Gap'
      readonly command: Command
      /** Where the log stood for the operator; if it stands elsewhere now, the command is refused. */
      readonly after: EnginePosition
      /** Where to go on; null: where the engine says that it can. */
      readonly to: EnginePosition | null
    }
  | { readonly kind: 'Correct'; readonly command: Command; readonly correction: CorrectionBody }
  | { readonly kind: 'Admit'; readonly command: Command; readonly refusedPos: Pos }
  | { readonly kind: 'Redrive'; readonly command: Command; readonly user: UserId }
  /** What an operator does outside the log, said in it. */
  | { readonly kind: 'Note'; readonly command: Command; readonly text: string }

/** `index`: the place within the engine's output, which orders what shares one pos. */
export type Indexed<T> = { readonly index: number; readonly value: T }

/** Everything in one output that concerns one user. */
export type UserShare = {
  readonly user: UserId
  readonly orders: readonly Indexed<OrderUpdate>[]
  readonly trades: readonly Indexed<Trade>[]
  readonly changes: readonly Indexed<BalanceChange>[]
}

export type AssetFlow = { readonly asset: AssetId; readonly amount: bigint }

/** What every record of `user.outputs` begins with. */
export type UserHead = {
  /** Number within the partition: 1, 2, 3 … without holes, barriers included. */
  readonly n: bigint
  /** Offset in `engine.outputs` of the record it came from. */
  readonly src: bigint
  readonly pos: Pos
}

/** A record of `user.outputs`. */
export type UserRecord =
  | (UserHead & UserShare & { readonly kind: 'UserOutput'; readonly time: bigint })
  | (UserHead & { readonly kind: 'UserCorrection'; readonly command: Command; readonly correction: CorrectionBody })
  | (UserHead & { readonly kind: 'UserRedrive'; readonly command: Command; readonly user: UserId })
  | (UserHead & { readonly kind: 'UserReference'; readonly time: bigint; readonly reference: ReferenceData })
  | (UserHead & {
      readonly kind: 'Barrier'
      /** pos of the barrier before; 0 before the first. */
      readonly previous: Pos
      /** n of this barrier in each partition. */
      readonly ns: readonly bigint[]
      /** External flow per asset since the barrier before, ascending by asset, zeros left out. */
      readonly flow: readonly AssetFlow[]
    })

export type UserOutput = Extract<UserRecord, { kind: 'UserOutput' }>
export type Barrier = Extract<UserRecord, { kind: 'Barrier' }>
