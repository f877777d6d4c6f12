import { refuse } from '../../runtime/stop.ts'
import type { Finding } from './finding.ts'

/** Where a stream's things are: Kafka's topics, its groups, and each store. */
export type InitPlace = { readonly name: string; inspect(): Promise<readonly Finding[]> }

export type InitMode = 'make' | 'dry-run'

export type InitResult = {
  readonly rows: readonly {
    readonly place: string
    readonly thing: string
    readonly done: 'was there' | 'made' | 'would be made'
  }[]
}

/**
 * Makes what is missing of a stream, after everything was looked at: one thing that can't be used, anywhere, and
 * nothing at all is made. Running it again changes nothing.
 * @throws Stop `init-refused` that names every thing that is there and is not what the stream needs.
 */
export const init = async (places: readonly InitPlace[], mode: InitMode): Promise<InitResult> => {
  const found: { readonly place: string; readonly finding: Finding }[] = []
  for (const place of places) for (const finding of await place.inspect()) found.push({ place: place.name, finding })
  const problems = found.flatMap(({ place, finding }) =>
    finding.kind === 'refused' ? [`${place}: ${finding.problem}`] : [],
  )
  if (problems.length > 0)
    throw refuse('init-refused', `nothing was made, because of:\n  ${problems.join('\n  ')}`, { problems })
  const rows: InitResult['rows'][number][] = []
  for (const { place, finding } of found) {
    if (finding.kind === 'refused') continue
    if (finding.kind === 'missing' && mode === 'make') await finding.make()
    const done = finding.kind !== 'missing' ? 'was there' : mode === 'make' ? 'made' : 'would be made'
    rows.push({ place, thing: finding.thing, done })
  }
  return { rows }
}
