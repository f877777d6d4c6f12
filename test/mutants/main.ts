import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { clean } from '../../local/stack.ts'
import { bridgeMutants } from './bridge.ts'
import { Campaign, type Fate } from './campaign.ts'
import { kafkaMutants } from './kafka.ts'
import type { Mutant } from './mutant.ts'
import { Scratch } from './scratch.ts'
import { settleMutants } from './settle.ts'
import { viewMutants } from './views.ts'

const usage = 'npm run mutate:bridge|settle|views -- [part of a name …] [--project unit|int] [--jobs n] [--why]'
const clone = resolve(import.meta.dirname, '../..')
const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** What can be told apart by the first argument. */
const lists: ReadonlyMap<string, readonly Mutant[]> = new Map<string, readonly Mutant[]>([
  ['bridge', [...bridgeMutants, ...kafkaMutants]],
  ['settle', settleMutants],
  ['views', viewMutants],
])

type Options = {
  readonly list: readonly Mutant[]
  readonly names: readonly string[]
  readonly project: string | undefined
  readonly jobs: number
  readonly why: boolean
}

/** Null for what the usage does not allow. */
const optionsFrom = (args: string[]): Options | null => {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        project: { type: 'string' },
        jobs: { type: 'string', default: '1' },
        why: { type: 'boolean', default: false },
      },
    })
    const { project, why } = values
    const [target = '', ...names] = positionals
    const list = lists.get(target)
    if (!list) return null
    const jobs = Number(values.jobs)
    if (project !== undefined && project !== 'unit' && project !== 'int') return null
    return Number.isInteger(jobs) && jobs > 0 && jobs <= 16 ? { list, names, project, jobs, why } : null
  } catch {
    return null
  }
}

/** A line of the table; below it why, unless the mutant was killed and nobody asks. */
const line = ({ name, caughtBy }: Mutant, { kind, why, seconds }: Fate, options: Options): string => {
  const { project, file, test, check } = caughtBy
  const place = `${project} ${file}: ${test}${check === undefined ? '' : ` ${check}`}`
  const told = kind !== 'killed' || options.why ? `\n${' '.repeat(20)}${why}` : ''
  return `${kind.padEnd(8)} ${seconds.toFixed(1).padStart(7)} s  ${name}; ${place}${told}`
}

const main = async (options: Options, signal: AbortSignal): Promise<number> => {
  const { list, names, project, jobs } = options
  const mutants = list
    .filter(({ name }) => names.length === 0 || names.some(part => name.includes(part)))
    .filter(({ caughtBy }) => project === undefined || caughtBy.project === project)
  if (mutants.length === 0) throw new Error('no mutant is called so')
  await using made = new AsyncDisposableStack()
  const first = made.use(await Scratch.copyOf(clone))
  // The servers end before the folder goes in which they are.
  made.defer(async () => void (await clean({ env: { ...process.env, SETTLE_DATA: Campaign.serversDir(first) } })))
  const others: Scratch[] = []
  for (let i = 1; i < jobs; i++) others.push(made.use(await Scratch.copyOf(clone)))
  const fates: Fate['kind'][] = []
  const tell = (mutant: Mutant, fate: Fate): void => {
    fates.push(fate.kind)
    say(line(mutant, fate, options))
  }
  await new Campaign({ scratches: [first, ...others], signal, tell }).run(mutants)
  const count = (kind: Fate['kind']): number => fates.filter(each => each === kind).length
  say(`${count('killed')} killed, ${count('SURVIVED')} survived, ${count('error')} errors`)
  return count('killed') === mutants.length ? 0 : 1
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
