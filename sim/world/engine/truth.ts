import type { EngineOutput, OrderUpdate } from '../../../core/events.ts'

export type TrueBalance = { readonly available: bigint; readonly frozen: bigint }

const nothing: TrueBalance = { available: 0n, frozen: 0n }

/** Everything the engine ever did, also what nobody was told of: the values of each balance at each version. */
export class Truth {
  /** By user and asset, the balance at version 1, 2, 3 … */
  readonly #balances = new Map<string, TrueBalance[]>()
  readonly #orders = new Map<bigint, OrderUpdate>()

  take({ changes, orders }: EngineOutput): void {
    for (const { user, asset, version, available, frozen } of changes) {
      const versions = this.#versions(user, asset)
      if (versions.length !== Number(version) - 1)
        throw new Error(`the engine made version ${version} of ${user}/${asset} after ${versions.length}`)
      versions.push({ available, frozen })
    }
    for (const update of orders) this.#orders.set(update.order, update)
  }

  /** What a user had of an asset at a version; undefined when there never was one. */
  at(user: bigint, asset: number, version: bigint): TrueBalance | undefined {
    return version === 0n ? nothing : this.#balances.get(`${user}/${asset}`)?.[Number(version) - 1]
  }

  /** The newest version. */
  newest(user: bigint, asset: number): bigint {
    return BigInt(this.#balances.get(`${user}/${asset}`)?.length ?? 0)
  }

  /** Every account that ever changed. */
  *accounts(): Generator<{ readonly user: bigint; readonly asset: number }> {
    for (const key of this.#balances.keys()) {
      const [user = '', asset] = key.split('/')
      yield { user: BigInt(user), asset: Number(asset) }
    }
  }

  orders(): Iterable<OrderUpdate> {
    return this.#orders.values()
  }

  #versions(user: bigint, asset: number): TrueBalance[] {
    const key = `${user}/${asset}`
    let versions = this.#balances.get(key)
    if (!versions) this.#balances.set(key, (versions = []))
    return versions
  }
}
