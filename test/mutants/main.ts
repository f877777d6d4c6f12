import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { clean } from '../../local/stack.ts'
import { bridgeMutants } from './bridge.ts'
import { mutated, problemsOf } from './check-list.ts'
import { kafkaMutants } from './kafka.ts'
import type { Mutant } from './mutant.ts'
import { runTests } from './run-tests.ts'
import { Scratch } from './scratch.ts'
import type { Verdict } from './verdict.ts'

const usage = `node test/mutants/main.ts [part of a name …] [--project unit|int] [--jobs n]`
const clone = resolve(import.meta.dirname, '../..')
const say = (text: string): void => void process.stdout.write(`${text}\n`)

type Options = { readonly names: readonly string[]; readonly project: string | undefined; readonly jobs: number }
type Fate = { readonly kind: 'killed' | 'SURVIVED' | 'error'; readonly why: string }

const optionsFrom = (args: string[]): Options | null => {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { project: { type: 'string' }, jobs: { type: 'string', default: '1' } },
    })
    const { project } = values
    const jobs = Number(values.jobs)
    if (project !== undefined && project !== 'unit' && project !== 'int') return null
    return Number.isInteger(jobs) && jobs > 0 && jobs <= 16 ? { names: positionals, project, jobs } : null
  } catch {
    return null
  }
}

const fateOf = (verdict: Verdict): Fate => {
  switch (verdict.kind) {
    case 'red':
      return { kind: 'killed', why: verdict.why }
    case 'green':
      return { kind: 'SURVIVED', why: 'the test did not notice' }
    case 'none':
      return { kind: 'error', why: verdict.why }
  }
}

/** Does work of several lanes, each piece once, in order. Ends with the first that fails. */
const share = async <L, P>(lanes: readonly L[], pieces: readonly P[], work: (lane: L, piece: P) => Promise<void>) => {
  const left = pieces.values()
  await Promise.all(
    lanes.map(async lane => {
      for (const piece of left) await work(lane, piece)
    }),
  )
}

/** All of the list, each mutant alone, the tests first without any. Returns what became of each. */
const mutate = async (
  mutants: readonly Mutant[],
  { scratches, signal }: { readonly scratches: readonly [Scratch, ...Scratch[]]; readonly signal: AbortSignal },
): Promise<readonly Fate['kind'][]> => {
  const [first] = scratches
  const runs = { serversDir: join(first.dir, '.data', 'servers'), signal }
  const fates: Fate['kind'][] = []
  const nameChars = Math.max(...mutants.map(({ name }) => name.length))
  const tell = ({ name, caughtBy }: Mutant, { kind, why }: Fate, seconds: number): void => {
    fates.push(kind)
    say(
      `${kind.padEnd(8)} ${seconds.toFixed(1).padStart(6)} s  ${name.padEnd(nameChars)}  ${caughtBy.file}: ${caughtBy.test}`,
    )
    if (kind !== 'killed') say(`${' '.repeat(19)}${why}`)
  }
  const told = await problemsOf(first, mutants, signal)
  const problems = new Map(told)
  const sound = mutants.filter(({ name }) => !told.has(name))
  /** The servers are shared, so whoever needs them takes turns. */
  const lanesOf = (project: string): readonly Scratch[] => (project === 'unit' ? scratches : [first])
  for (const project of ['unit', 'int'] as const) {
    const mine = sound.filter(({ caughtBy }) => caughtBy.project === project)
    const files = [...Map.groupBy(mine, ({ caughtBy }) => caughtBy.file)]
    say(`${mine.length} ${project} mutants; first their tests without them`)
    await share(lanesOf(project), files, async (scratch, [file, ofFile]) => {
      const tests = [...new Set(ofFile.map(({ caughtBy }) => caughtBy.test))]
      const verdicts = await runTests(scratch, { project, file, tests }, runs)
      for (const { name, caughtBy } of ofFile) {
        const verdict = verdicts.get(caughtBy.test)
        if (verdict?.kind === 'red') problems.set(name, `without it its test is red already: ${verdict.why}`)
        if (verdict?.kind === 'none') problems.set(name, `without it its test does not judge: ${verdict.why}`)
      }
    })
    const ready = mine.filter(({ name }) => !problems.has(name))
    await share(lanesOf(project), ready, async (scratch, mutant) => {
      const { file, caughtBy } = mutant
      const text = await scratch.read(file)
      const startMs = performance.now()
      await scratch.write(file, mutated(text, mutant) ?? text)
      const verdicts = await runTests(scratch, { ...caughtBy, tests: [caughtBy.test] }, runs)
      await scratch.write(file, text)
      const verdict = verdicts.get(caughtBy.test) ?? { kind: 'none', why: 'it was not run' }
      tell(mutant, fateOf(verdict), (performance.now() - startMs) / 1000)
    })
  }
  for (const mutant of mutants) {
    const why = problems.get(mutant.name)
    if (why !== undefined) tell(mutant, { kind: 'error', why }, 0)
  }
  return fates
}

const main = async ({ names, project, jobs }: Options, signal: AbortSignal): Promise<number> => {
  const mutants = [...bridgeMutants, ...kafkaMutants]
    .filter(({ name }) => names.length === 0 || names.some(part => name.includes(part)))
    .filter(({ caughtBy }) => project === undefined || caughtBy.project === project)
  if (mutants.length === 0) throw new Error(`no mutant is called ${names.join(', ')}`)
  await using made = new AsyncDisposableStack()
  const first = made.use(await Scratch.copyOf(clone))
  // Put on later, so ended earlier: its data are in the copy.
  made.defer(
    async () => void (await clean({ env: { ...process.env, SETTLE_DATA: join(first.dir, '.data', 'servers') } })),
  )
  const others: Scratch[] = []
  for (let i = 1; i < jobs; i++) others.push(made.use(await Scratch.copyOf(clone)))
  const fates = await mutate(mutants, { scratches: [first, ...others], signal })
  const count = (kind: Fate['kind']): number => fates.filter(each => each === kind).length
  say(`${count('killed')} killed, ${count('SURVIVED')} survived, ${count('error')} errors`)
  return fates.every(kind => kind === 'killed') ? 0 : 1
}

const options = optionsFrom(process.argv.slice(2))
const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopping.abort())
try {
  if (options === null) process.stderr.write(`mutants: ${usage}\n`)
  process.exitCode = options === null ? 2 : await main(options, stopping.signal)
} catch (error) {
  process.exitCode = stopping.signal.aborted ? 130 : 1
  const why = stopping.signal.aborted ? 'interrupted; what it started is ended' : String(error)
  process.stderr.write(`mutants: ${why}\n`)
}
