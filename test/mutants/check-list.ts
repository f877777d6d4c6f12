import { runNode } from './command.ts'
import type { Mutant } from './mutant.ts'
import type { Scratch } from './scratch.ts'

const typesWithinMs = 300_000
/** Of a guard that is gone a name may be left that nobody uses, or code that nobody reaches. */
const harmless = new Set(['TS6133', 'TS6138', 'TS6192', 'TS6196', 'TS6198', 'TS7027'])

/** The file with the mutant in it; null when what is to be replaced does not stand there exactly once. */
export const mutated = (text: string, { find, replace }: Mutant): string | null =>
  text.split(find).length === 2 ? text.replace(find, () => replace) : null

/**
 * What is wrong with mutants before any test runs, by name: one that can't be applied proves nothing, nor does one that
 * is no TypeScript of ours, since a name that is nowhere would fail any test. All are judged by one run of the compiler.
 */
export const problemsOf = async (
  scratch: Scratch,
  mutants: readonly Mutant[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> => {
  const problems = new Map<string, string>()
  const copies = new Map<string, Mutant>()
  const names = new Set<string>()
  for (const [i, mutant] of mutants.entries()) {
    const { name, file, caughtBy } = mutant
    if (names.has(name)) problems.set(name, 'two mutants have this name')
    names.add(name)
    const text = scratch.has(file) ? mutated(await scratch.read(file), mutant) : null
    if (text === null) problems.set(name, `what it replaces does not stand exactly once in ${file}`)
    if (!scratch.has(caughtBy.file)) problems.set(name, `${caughtBy.file} does not exist`)
    // SQL and pages have no types: the servers that read them say what is wrong.
    if (text === null || problems.has(name) || !file.endsWith('.ts')) continue
    // Beside the original, so that all imports hold.
    const copy = file.replace(/\.ts$/, `.mutant-${i}.ts`)
    await scratch.write(copy, text)
    copies.set(copy, mutant)
  }
  const { exitCode, said } = await runNode(['node_modules/typescript/bin/tsc', '--noEmit', '--pretty', 'false'], {
    dir: scratch.dir,
    env: process.env,
    withinMs: typesWithinMs,
    signal,
  })
  if (exitCode === null) throw new Error(`the types of the mutants were not checked within ${typesWithinMs} ms`)
  for (const line of said.split('\n')) {
    const [, file = '', code = ''] = /^(.+?)\(\d+,\d+\): error (TS\d+)/.exec(line) ?? []
    const mutant = copies.get(file)
    if (mutant && !harmless.has(code)) problems.set(mutant.name, `its types do not hold: ${line}`)
    if (code !== '' && !mutant) throw new Error(`without any mutant the types do not hold: ${line}`)
  }
  for (const copy of copies.keys()) await scratch.delete(copy)
  return problems
}
