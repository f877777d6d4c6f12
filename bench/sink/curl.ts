import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Stack } from '../../local/stack.ts'
import { mergeConditions, tableNamed } from '../../schemas/starrocks/tables.ts'
import { limits } from '../../sink-starrocks/load/limits.ts'
import type { PreparedFile } from './prepared-file.ts'

const run = promisify(execFile)
const withinMs = 300_000

export type Posted = { readonly seconds: number; readonly rows: number; readonly bytes: number }

/**
 * Posts prepared files by one run of curl, as many at once as load has under way, from its start to its end.
 * @throws Error when curl or StarRocks did not take all of them
 */
export const postWithCurl = async (
  files: readonly PreparedFile[],
  options: { readonly starrocks: Stack<'starrocks'>['starrocks']; readonly database: string; readonly dir: string },
): Promise<Posted> => {
  const config = join(options.dir, 'curl.config')
  await writeFile(config, files.map(file => requestOf(file, options)).join('next\n'))
  const parallel = ['--parallel', '--parallel-max', `${limits.tablesInFlight}`]
  const startMs = performance.now()
  await run('curl', ['--silent', '--show-error', '--fail', ...parallel, '--config', config], { timeout: withinMs })
  const seconds = (performance.now() - startMs) / 1000
  for (const file of files) await requireLoaded(file)
  const sum = (of: 'rows' | 'bytes'): number => files.reduce((all, file) => all + file[of], 0)
  return { seconds, rows: sum('rows'), bytes: sum('bytes') }
}

const answerOf = ({ path }: PreparedFile): string => `${path}.answer`

/** One transfer of curl's config file: what StarRocks' own page of Stream Load tells to send. */
const requestOf = (
  file: PreparedFile,
  { starrocks, database }: { readonly starrocks: Stack<'starrocks'>['starrocks']; readonly database: string },
): string => {
  const merge = mergeConditions[file.table]
  const headers = [
    'Expect: 100-continue',
    `label: ${database}_${file.table}_${randomUUID()}`,
    'format: csv',
    `columns: ${tableNamed(file.table)
      .columns.map(({ name }) => `\`${name}\``)
      .join(',')}`,
    'max_filter_ratio: 0',
    'strict_mode: true',
    'timezone: UTC',
    ...(merge === undefined ? [] : [`merge_condition: ${merge}`]),
    ...(file.form === 'enclosed' ? ['enclose: \\"'] : []),
  ]
  const lines = [
    `url = "${starrocks.feHttp}/api/${database}/${file.table}/_stream_load"`,
    `upload-file = "${file.path}"`,
    `output = "${answerOf(file)}"`,
    `user = "${starrocks.user}:${starrocks.password}"`,
    'location-trusted',
    ...headers.map(header => `header = "${header}"`),
  ]
  return `${lines.join('\n')}\n`
}

const requireLoaded = async (file: PreparedFile): Promise<void> => {
  const text = await readFile(answerOf(file), 'utf8')
  const answer = JSON.parse(text) as { readonly Status?: string; readonly NumberLoadedRows?: number }
  if (answer.Status !== 'Success' || answer.NumberLoadedRows !== file.rows)
    throw new Error(`StarRocks did not load the ${file.rows} rows of ${file.path} that curl posted: ${text}`)
}
