import type { CqlPort, CqlRow } from '../port.ts'

/** What is in memory has no pages. */
export async function* scanAtOnce(
  store: Pick<CqlPort, 'query'>,
  [cql, params, options]: Parameters<CqlPort['scan']>,
): AsyncGenerator<CqlRow> {
  yield* await store.query(cql, params, options?.signal)
}
