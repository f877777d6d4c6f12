import { createRequire } from 'node:module'

/** A statement of a batch, as it is given to the driver. */
type Item = { readonly query: string; readonly params: readonly unknown[] }
/** The same with what the store knows its text by. */
type Prepared = Item & { readonly queryId: Buffer; readonly meta: object }

export type GetPreparedMultiple = (
  client: object,
  loadBalancing: object,
  items: readonly Item[],
  keyspace: string,
) => Promise<Prepared[]>

/**
 * Asks for each text once where several in a row have it, which is what the statements of one partition key mostly do. The
 * driver asks for each statement, by a name that it joins of keyspace and text and has to hash anew, and awaits each: a
 * tenth of all that a busy settle allocates.
 */
export const byRuns =
  (ask: GetPreparedMultiple): GetPreparedMultiple =>
  async (client, loadBalancing, items, keyspace) => {
    const all: Prepared[] = []
    let last: Prepared | undefined
    for (const item of items) {
      const { query, params } = item
      // Named parameters are the driver's to put in order.
      if (last?.query === query && Array.isArray(params))
        last = { query, params, queryId: last.queryId, meta: last.meta }
      else [last] = await ask(client, loadBalancing, [item], keyspace)
      all.push(last as Prepared)
    }
    return all
  }

/** Lets the driver do so. It has no option for that: `lib/prepare-handler.js` of the version that package.json pins. */
export const usePreparedRuns = (): void => {
  const handler = createRequire(import.meta.url)('cassandra-driver/lib/prepare-handler.js') as {
    getPreparedMultiple: GetPreparedMultiple
  }
  handler.getPreparedMultiple = byRuns(handler.getPreparedMultiple)
}
