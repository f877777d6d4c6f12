import { assetId, symbolId } from '../../core/ids.ts'
import type { SqlPort, SqlRow } from '../../runtime/starrocks/sql-port.ts'
import type { KnownReference } from './display-units.ts'

/** The reference data that StarRocks holds. @throws SqlFailure */
export const readReference = async (sql: SqlPort): Promise<KnownReference> => {
  const [assets, symbols] = await Promise.all([
    sql.query('SELECT asset_id, decimals FROM assets'),
    sql.query('SELECT symbol_id, base_asset_id, quote_asset_id, lot_units, since_pos FROM symbols'),
  ])
  return { assets: assets.map(assetOf), symbols: symbols.map(symbolOf) }
}

const assetOf = (row: SqlRow): KnownReference['assets'][number] => ({
  asset: assetId(Number(row['asset_id'])),
  decimals: Number(row['decimals']),
})

const symbolOf = (row: SqlRow): KnownReference['symbols'][number] => ({
  symbol: symbolId(Number(row['symbol_id'])),
  base: assetId(Number(row['base_asset_id'])),
  quote: assetId(Number(row['quote_asset_id'])),
  lot: BigInt(row['lot_units'] as string),
  since: BigInt(row['since_pos'] as string),
})
