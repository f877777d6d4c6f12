import { join } from 'node:path'
import { mutated, problemsOf } from './check-list.ts'
import type { Mutant } from './mutant.ts'
import { runTests } from './run-tests.ts'
import type { Scratch } from './scratch.ts'
import type { Verdict } from './verdict.ts'

export type Fate = { readonly kind: 'killed' | 'SURVIVED' | 'error'; readonly why: string; readonly seconds: number }

type Project = Mutant['caughtBy']['project']

/** Tries mutants, each alone; the tests that are to notice run first without any. */
export class Campaign {
  readonly #scratches: readonly [Scratch, ...Scratch[]]
  readonly #signal: AbortSignal
  readonly #tell: (mutant: Mutant, fate: Fate) => void

  constructor(options: {
    /** So many are tried at a time. */
    readonly scratches: readonly [Scratch, ...Scratch[]]
    /** Ends what runs; the campaign then rejects. */
    readonly signal: AbortSignal
    readonly tell: (mutant: Mutant, fate: Fate) => void
  }) {
    this.#scratches = options.scratches
    this.#signal = options.signal
    this.#tell = options.tell
  }

  /** Where servers run that tests share; whoever ends the campaign ends them. */
  static serversDir(scratch: Scratch): string {
    return join(scratch.dir, '.data', 'servers')
  }

  async run(mutants: readonly Mutant[]): Promise<void> {
    const problems = await problemsOf(this.#scratches[0], mutants, this.#signal)
    for (const mutant of mutants) this.#error(mutant, problems.get(mutant.name))
    const sound = mutants.filter(({ name }) => !problems.has(name))
    for (const project of ['unit', 'int'] as const)
      await this.#runProject(
        project,
        sound.filter(({ caughtBy }) => caughtBy.project === project),
      )
  }

  async #runProject(project: Project, mutants: readonly Mutant[]): Promise<void> {
    // Servers are shared, so whoever needs them takes turns.
    const [first] = this.#scratches
    const lanes = project === 'unit' ? this.#scratches : [first]
    const ready: Mutant[] = []
    await share(lanes, [...Map.groupBy(mutants, ({ caughtBy }) => caughtBy.file).values()], async (scratch, ofFile) => {
      const verdicts = await this.#test(scratch, ofFile)
      for (const mutant of ofFile) {
        const verdict = verdicts(mutant)
        if (verdict.kind === 'green') ready.push(mutant)
        else this.#error(mutant, `without it the test is not green: ${verdict.why}`)
      }
    })
    await share(lanes, ready, async (scratch, mutant) => {
      const text = await scratch.read(mutant.file)
      const startMs = performance.now()
      await scratch.write(mutant.file, mutated(text, mutant) ?? text)
      const verdicts = await this.#test(scratch, [mutant])
      await scratch.write(mutant.file, text)
      this.#tell(mutant, { ...fateOf(verdicts(mutant), mutant), seconds: (performance.now() - startMs) / 1000 })
    })
  }

  /** One run of the tests that catch these mutants, all of one file. */
  async #test(scratch: Scratch, mutants: readonly Mutant[]): Promise<(mutant: Mutant) => Verdict> {
    const [{ caughtBy }] = mutants as readonly [Mutant, ...Mutant[]]
    const tests = [...new Set(mutants.map(({ caughtBy }) => caughtBy.test))]
    const runs = { serversDir: Campaign.serversDir(this.#scratches[0]), signal: this.#signal }
    const verdicts = await runTests(scratch, { ...caughtBy, tests }, runs)
    return ({ caughtBy }) => verdicts.get(caughtBy.test) ?? { kind: 'none', why: 'it was not run' }
  }

  #error(mutant: Mutant, why: string | undefined): void {
    if (why !== undefined) this.#tell(mutant, { kind: 'error', why, seconds: 0 })
  }
}

const fateOf = (verdict: Verdict, { caughtBy }: Mutant): Omit<Fate, 'seconds'> => {
  const { check } = caughtBy
  switch (verdict.kind) {
    case 'red':
      return check === undefined || verdict.said.includes(check)
        ? { kind: 'killed', why: verdict.why }
        : { kind: 'error', why: `the test failed, but not by "${check}": ${verdict.why}` }
    case 'green':
      return { kind: 'SURVIVED', why: 'the test did not notice' }
    case 'none':
      return { kind: 'error', why: verdict.why }
  }
}

/** Work of several lanes, each piece once, in order. Ends with the first that fails. */
const share = async <L, P>(
  lanes: readonly L[],
  pieces: readonly P[],
  work: (lane: L, piece: P) => Promise<void>,
): Promise<void> => {
  const left = pieces.values()
  await Promise.all(
    lanes.map(async lane => {
      for (const piece of left) await work(lane, piece)
    }),
  )
}
