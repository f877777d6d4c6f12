import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { differenceText } from '../../ops/verify/report.ts'
import type { ChaosRun } from './chaos-run.ts'
import type { ReportRow } from './report.ts'
import type { StreamStage } from './stream-stage.ts'

const verifyMs = 300_000
/** Violations of a check that are told one by one. */
export const told = 20

/** What `settle verify --json` says, as far as it is told here. */
const verdict = z.object({
  coversLastOutput: z.boolean(),
  differences: z.number(),
  tables: z.array(
    z.object({
      place: z.string(),
      table: z.string(),
      rows: z.number(),
      listed: z.array(
        z.discriminatedUnion('kind', [
          z.object({ kind: z.literal('missing'), key: z.string(), expected: z.string() }),
          z.object({ kind: z.literal('extra'), key: z.string(), found: z.string() }),
          z.object({
            ...{ kind: z.literal('different'), key: z.string(), column: z.string() },
            ...{ expected: z.string(), found: z.string() },
          }),
          z.object({ kind: z.literal('broken'), key: z.string(), problem: z.string() }),
        ]),
      ),
    }),
  ),
})

/** `settle verify` of what the stream has: every row of every place is what the log calls for, none twice, none missing. */
export const holdToVerify = async (
  { trace, dir, say }: ChaosRun,
  stage: StreamStage,
  state: 'at rest' | 'behind',
): Promise<readonly ReportRow[]> => {
  say('settle verify compares the log with every place')
  const { exitCode, stdout, stderr } = await stage.settle(['verify', '--json', ...stage.skipping], {
    withinMs: verifyMs,
  })
  await writeFile(join(dir, 'verify.json'), `${stdout}${stderr}`)
  const violate = (text: string): void => trace.violate(`settle verify: ${text}`, { shown: 'alone' })
  if (exitCode !== 0) violate(`ended with ${exitCode}${stderr === '' ? '' : `: ${stderr.trimEnd()}`}`)
  const result = verdict.safeParse(parsed(stdout)).data
  if (!result) return [['settle verify', 'no verdict']]
  const { tables, differences, coversLastOutput } = result
  const listed = tables.flatMap(({ place, table, listed: each }) =>
    each.map(difference => `${place} ${table}: ${differenceText(difference)}`),
  )
  for (const difference of listed.slice(0, told)) violate(difference)
  if (differences > told) violate(`${differences - told} more like these`)
  if (state === 'at rest' && !coversLastOutput) violate('it does not cover the last output')
  const places = Map.groupBy(tables, ({ place }) => place)
  return [
    [
      'settle verify',
      `${differences === 0 ? 'equal' : `${differences} differ`}${state === 'behind' ? ', of what is behind' : ''}`,
    ],
    ...[...places].map(
      ([place, rows]) => [`compared in ${place}`, rows.map(each => `${each.table} ${each.rows}`).join(', ')] as const,
    ),
  ]
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
