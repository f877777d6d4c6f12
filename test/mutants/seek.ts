import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { mutated } from './check-list.ts'
import { runNode } from './command.ts'
import type { Mutant } from './mutant.ts'
import { Scratch } from './scratch.ts'
import { settleMutants } from './settle.ts'

/**
 * The first of some seeds that notices a mutant, and its check: for whoever adds one, or has changed the world.
 *
 *     node test/mutants/seek.ts --seeds 78,1-40 'part of a name' …
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: 'string', default: '1-40' } },
})
const seeds = values.seeds.split(',').flatMap(part => {
  const [first = 1, last = first] = part.split('-').map(Number)
  return Array.from({ length: last - first + 1 }, (_, at) => `${first + at}`)
})
const isWanted = ({ name, caughtBy }: Mutant): boolean =>
  positionals.length === 0 ? caughtBy.file.startsWith('test/sim/') : positionals.some(part => name.includes(part))

await using scratch = await Scratch.copyOf(resolve(import.meta.dirname, '../..'))
for (const mutant of settleMutants.filter(isWanted)) {
  const text = await scratch.read(mutant.file)
  await scratch.write(mutant.file, mutated(text, mutant) ?? text)
  const { said } = await runNode(['test/mutants/try-seeds.ts', ...seeds], {
    dir: scratch.dir,
    env: process.env,
    withinMs: 3_600_000,
    signal: new AbortController().signal,
  })
  await scratch.write(mutant.file, text)
  process.stdout.write(`${mutant.name}\n  ${said.trim() || 'no seed'}\n`)
}
