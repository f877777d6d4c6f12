import { setTimeout as pause } from 'node:timers/promises'
import { Client, concurrent, errors, types } from 'cassandra-driver'
import type { Trade } from '../../../core/events.ts'
import type { UserId } from '../../../core/ids.ts'
import type { StoreAddress } from '../places.ts'

/** One side's move in one asset. */
type Leg = { readonly user: UserId; readonly asset: number; readonly available: bigint; readonly frozen: bigint }

const seedsInFlight = 64
/** After a lost race: at random up to so much times the races lost, so that rivals part. */
const backoffMs = 2
const mostBackoffMs = 50

const tables = [
  'CREATE TABLE trades (trade_id bigint PRIMARY KEY, time bigint, symbol int, price bigint, quantity bigint, quote bigint, buyer bigint, seller bigint, buy_order bigint, sell_order bigint, taker text, buy_fee bigint, sell_fee bigint)',
  'CREATE TABLE balances (user_id bigint, asset int, available bigint, frozen bigint, PRIMARY KEY ((user_id), asset))',
]
const insertTrade =
  'INSERT INTO trades (trade_id, time, symbol, price, quantity, quote, buyer, seller, buy_order, sell_order, taker, buy_fee, sell_fee) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'
const insertBalance = 'INSERT INTO balances (user_id, asset, available, frozen) VALUES (?, ?, ?, ?)'
const selectBalance = 'SELECT available, frozen FROM balances WHERE user_id = ? AND asset = ?'
const updateBalance =
  'UPDATE balances SET available = ?, frozen = ? WHERE user_id = ? AND asset = ? IF available = ? AND frozen = ?'

/**
 * The design that settle replaces, kept for comparison: per trade one insert, then each of the four balances by read,
 * arithmetic and lightweight transaction, again when another one came first. As a careful team would write it:
 * prepared, with settle's driver and consistency. It writes no history and no fees, and a crash between two statements
 * loses money.
 */
export class ReplacedDesign {
  readonly #client: Client
  #conflicts = 0

  private constructor(client: Client) {
    this.#client = client
  }

  /** Makes its tables in a keyspace that is there and empty, and gives every user the same of each asset. */
  static async open(
    { contactPoints, datacenter }: StoreAddress,
    seed: {
      readonly keyspace: string
      readonly users: readonly UserId[]
      readonly assets: readonly number[]
      readonly funds: bigint
    },
  ): Promise<ReplacedDesign> {
    const client = new Client({
      contactPoints: [...contactPoints],
      localDataCenter: datacenter,
      keyspace: seed.keyspace,
      protocolOptions: { port: Number((contactPoints[0] as string).split(':').at(-1)) },
      encoding: { useBigIntAsLong: true },
      pooling: { coreConnectionsPerHost: { '0': 2, '1': 1, '2': 1 } },
      queryOptions: {
        consistency: types.consistencies.localQuorum,
        serialConsistency: types.consistencies.localSerial,
        prepare: true,
      },
      monitorReporting: { enabled: false },
    })
    await client.connect()
    for (const table of tables) await client.execute(table, [], { prepare: false })
    const rows = seed.users.flatMap(user => seed.assets.map(asset => [user, asset, seed.funds, seed.funds]))
    await concurrent.executeConcurrent(client, insertBalance, rows, { concurrencyLevel: seedsInFlight })
    return new ReplacedDesign(client)
  }

  /** Lightweight transactions that lost their race, or whose outcome nobody knows. */
  get conflicts(): number {
    return this.#conflicts
  }

  async settle(trade: Trade, time: bigint): Promise<void> {
    const { trade: id, symbol, price, quantity, quote, buyer, seller, buyOrder, sellOrder, taker } = trade
    const { buyFee, buyFeeAsset: base, sellFee, sellFeeAsset: quoteAsset } = trade
    const orders = [buyOrder, sellOrder, taker, buyFee, sellFee]
    await this.#client.execute(insertTrade, [id, time, symbol, price, quantity, quote, buyer, seller, ...orders])
    await this.#post({ user: buyer, asset: base, available: quantity - buyFee, frozen: 0n })
    await this.#post({ user: buyer, asset: quoteAsset, available: 0n, frozen: 0n - quote })
    await this.#post({ user: seller, asset: base, available: 0n, frozen: 0n - quantity })
    await this.#post({ user: seller, asset: quoteAsset, available: quote - sellFee, frozen: 0n })
  }

  async close(): Promise<void> {
    await this.#client.shutdown()
  }

  async #post({ user, asset, available, frozen }: Leg): Promise<void> {
    for (let lost = 0; ; ) {
      const read = await this.#client.execute(selectBalance, [user, asset])
      const row = read.first()
      const before = { available: row.get('available') as bigint, frozen: row.get('frozen') as bigint }
      const after = { available: before.available + available, frozen: before.frozen + frozen }
      if (after.available < 0n || after.frozen < 0n) throw new Error(`user ${user} has too little of asset ${asset}`)
      const params = [after.available, after.frozen, user, asset, before.available, before.frozen]
      if (await this.#wasApplied(params)) return
      this.#conflicts++
      lost++
      await pause(Math.random() * Math.min(mostBackoffMs, backoffMs * lost))
    }
  }

  async #wasApplied(params: unknown[]): Promise<boolean> {
    try {
      return (await this.#client.execute(updateBalance, params)).wasApplied()
    } catch (error) {
      // Too many rivals: it may have been applied all the same. The design has no answer; it goes on as if not.
      if (error instanceof errors.ResponseError && error.code === types.responseErrorCodes.writeTimeout) return false
      throw error
    }
  }
}
