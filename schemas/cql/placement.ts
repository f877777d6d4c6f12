import type { OrderId, Pos, TradeId } from '../../core/ids.ts'

/**
 * Where rows of the growing tables stand. These numbers and `mix` are part of what is stored: whoever reads the log
 * again must come to the same places. Changed only for records after a pos that the change names.
 */
export type BucketRules = {
  /** A bucket that has counted so many items takes no more: the next counted record begins a new one. */
  readonly items: number
  /** One record in so many is counted, for that many. */
  readonly oneIn: number
  /** A record of so many items is always counted, for itself: a few of them weigh as much as a bucket. */
  readonly heavyItems: number
}

/**
 * About 50,000 rows of one item, or fewer that are wider: 10 MB (an item is some 100 to 190 bytes, an empty row 60),
 * well below the 100 MiB and 100,000 rows of a partition from which on the stores suffer.
 */
export const bucketRules: BucketRules = { items: 50_000, oneIn: 64, heavyItems: 64 }

/** Cells that a user's open orders are spread over. */
export const openOrderSlots = 32

export const openOrderSlot = (order: OrderId): number => mix(order) % openOrderSlots

/**
 * The partition of an order or of a trade: that of 256 ids one after the other. Whoever writes many at once has several of
 * each partition, and a request for all of them is little dearer than one for each.
 */
export const idBlock = (id: OrderId | TradeId): bigint => id >> 8n

/** How much a record adds to what its bucket has counted; 0 for one that is not counted. */
export const countedItems = (pos: Pos, items: number, { oneIn, heavyItems }: BucketRules): number => {
  if (items >= heavyItems) return items
  return mix(pos) % oneIn === 0 ? Math.max(1, items) * oneIn : 0
}

/** A uint32 with all bits of an int64 well mixed: murmur3's finalizer over both halves. */
const mix = (value: bigint): number => {
  let bits = Number(BigInt.asUintN(32, value)) ^ Math.imul(Number(BigInt.asIntN(32, value >> 32n)), 0x9e3779b1)
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
