import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runNode } from './command.ts'
import type { Mutant } from './mutant.ts'
import type { Scratch } from './scratch.ts'
import { type TestReport, type Verdict, verdictOf } from './verdict.ts'

type Project = Mutant['caughtBy']['project']

/** vitest bounds each test and hook; this bounds the whole of a run that none of them ends. */
const withinMs: Readonly<Record<Project, number>> = { unit: 240_000, int: 900_000 }
/** Shorter than a test of the unit project may take: of a mutant that hangs no more is learned by waiting. */
const testMs: Readonly<Record<Project, number>> = { unit: 30_000, int: 120_000 }
/** Random tests draw the same each time: whether a mutant is caught must not depend on luck. */
const seed = '1'

const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)

/** Runs tests of one file, each by a part of its full name. */
export const runTests = async (
  scratch: Scratch,
  { project, file, tests }: { readonly project: Project; readonly file: string; readonly tests: readonly string[] },
  { serversDir, signal }: { readonly serversDir: string; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, Verdict>> => {
  const report = join(scratch.dir, '.data', 'report.json')
  await rm(report, { force: true })
  const names = tests.map(literally).join('|')
  const { exitCode, said } = await runNode(
    ['node_modules/vitest/vitest.mjs', 'run', '--project', project, file, '-t', names].concat([
      '--testTimeout',
      `${testMs[project]}`,
      '--reporter',
      'json',
      '--outputFile',
      report,
    ]),
    {
      dir: scratch.dir,
      env: {
        ...process.env,
        NO_COLOR: '1',
        TEST_SEED: seed,
        ...(project === 'int' ? { SETTLE_DATA: serversDir } : {}),
      },
      withinMs: withinMs[project],
      signal,
    },
  )
  signal.throwIfAborted()
  const all = (verdict: Verdict) => new Map(tests.map(test => [test, verdict]))
  if (exitCode === null) return all({ kind: 'none', why: `the run was not over within ${withinMs[project]} ms` })
  try {
    const found = JSON.parse(await readFile(report, 'utf8')) as TestReport
    return new Map(tests.map(test => [test, checked(verdictOf(found, test), tests.length, exitCode, said)]))
  } catch (error) {
    return all({
      kind: 'none',
      why: `vitest left no report (exit code ${exitCode}): ${String(error)}; ${said.slice(-500)}`,
    })
  }
}

/** A run of one test that is red though the test is green has failed elsewhere, for instance by an error nobody caught. */
const checked = (verdict: Verdict, tests: number, exitCode: number, said: string): Verdict =>
  verdict.kind === 'green' && tests === 1 && exitCode !== 0
    ? { kind: 'none', why: `the test is green but the run failed: ${said.slice(-500)}` }
    : verdict
