import { parse } from 'csv-parse/sync'
import { assetId, symbolId } from '../../../core/ids.ts'
import type { LoadRequest, LoadVerdict, StreamLoadPort } from '../../../runtime/starrocks/stream-load-port.ts'
import { type TableName, tableNamed } from '../../../schemas/starrocks/tables.ts'
import type { KnownReference } from '../display-units.ts'

/** What goes wrong with one attempt. */
export type Mishap =
  | 'nothing'
  /** Refused before anything happened. */
  | 'rolled back'
  /** Done, and the answer is lost. */
  | 'answer lost'
  /** Not done, and the answer is lost. */
  | 'request lost'
  /** Done, visible later. */
  | 'publish timeout'

type Row = Readonly<Record<string, string | null>>

const parseRows = (body: Buffer, columns: readonly string[], form: LoadRequest['form']): Row[] => {
  const quoted = form === 'enclosed'
  const records = parse(body, { delimiter: '\t', quote: quoted ? '"' : false, record_delimiter: '\n' })
  return records.map(fields => {
    if (fields.length !== columns.length) throw new Error(`${fields.length} fields for ${columns.length} columns`)
    return Object.fromEntries(
      columns.map((name, index) => [name, fields[index] === '\\N' ? null : fields[index]]),
    ) as Row
  })
}

/** Tables with the semantics of PRIMARY KEY and merge_condition, and labels, in memory. */
export class FakeStarRocks implements StreamLoadPort {
  readonly tables = new Map<string, Map<string, Row>>()
  readonly requests: LoadRequest[] = []
  readonly #labels = new Map<string, 'VISIBLE' | 'COMMITTED'>()
  readonly #mishap: () => Mishap

  constructor(mishap: () => Mishap = () => 'nothing') {
    this.#mishap = mishap
  }

  async load(request: LoadRequest): Promise<LoadVerdict> {
    this.requests.push(request)
    await new Promise(resolve => setImmediate(resolve))
    if (this.#labels.has(request.label)) return { kind: 'done' }
    const mishap = this.#mishap()
    switch (mishap) {
      case 'nothing':
        this.#apply(request, 'VISIBLE')
        return { kind: 'done' }
      case 'rolled back':
        return { kind: 'retry', reason: mishap }
      case 'answer lost':
        this.#apply(request, 'VISIBLE')
        return { kind: 'poll', reason: mishap }
      case 'request lost':
        return { kind: 'poll', reason: mishap }
      case 'publish timeout':
        this.#apply(request, 'COMMITTED')
        return { kind: 'committed', reason: mishap }
    }
  }

  async labelState({ label }: { readonly label: string }): Promise<LoadVerdict> {
    const state = this.#labels.get(label)
    switch (state) {
      case undefined:
        return { kind: 'retry', reason: 'unknown' }
      case 'VISIBLE':
        return { kind: 'done' }
      case 'COMMITTED':
        this.#labels.set(label, 'VISIBLE')
        return { kind: 'committed', reason: 'soon' }
    }
  }

  readonly readReference = async (): Promise<KnownReference> => ({
    assets: this.rows('assets').map(row => ({
      asset: assetId(Number(row['asset_id'])),
      decimals: Number(row['decimals']),
    })),
    symbols: this.rows('symbols').map(row => ({
      symbol: symbolId(Number(row['symbol_id'])),
      base: assetId(Number(row['base_asset_id'])),
      quote: assetId(Number(row['quote_asset_id'])),
      lot: BigInt(row['lot_units'] as string),
      since: BigInt(row['since_pos'] as string),
    })),
  })

  rows(table: TableName): Row[] {
    return [...(this.tables.get(table)?.values() ?? [])]
  }

  /** All tables, sorted, as text: equal contents are equal texts. */
  contents(): string {
    const lines = [...this.tables].flatMap(([table, rows]) =>
      [...rows.values()].map(row => table + JSON.stringify(row)),
    )
    return lines.sort().join('\n')
  }

  #apply(
    { table, body, columns, form, rows, label, mergeCondition }: LoadRequest,
    state: 'VISIBLE' | 'COMMITTED',
  ): void {
    const found = parseRows(body, columns, form)
    if (found.length !== rows) throw new Error(`${table}: ${found.length} rows in the body, ${rows} announced`)
    const { key } = tableNamed(table as TableName)
    const target = this.tables.get(table) ?? new Map<string, Row>()
    this.tables.set(table, target)
    for (const row of found) {
      const id = key.map(column => row[column]).join('/')
      const before = target.get(id)
      const rank = (each: Row): bigint => BigInt(each[mergeCondition as string] as string)
      if (before && mergeCondition !== undefined && rank(row) < rank(before)) continue
      target.set(id, row)
    }
    this.#labels.set(label, state)
  }
}
