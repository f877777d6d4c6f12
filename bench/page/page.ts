import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Figure } from '../figure.ts'
import { shown, verdictOf } from '../figure.ts'
import { outDir } from '../report.ts'
import { chartOf } from './chart.ts'

const docs = resolve(import.meta.dirname, '../../docs')
const templateFile = join(import.meta.dirname, 'benchmarks.template.md')
const marker = /^\{\{figures ([a-z-]+)\}\}$/gm

/** Files of the documentation, by their paths in `docs`. */
export type Page = ReadonlyMap<string, string>

/**
 * `docs/benchmarks.md` and its charts: the template's prose, with the figures of `bench/out/<part>.json` in the place of
 * each `{{figures part}}`. A part that was never measured says so.
 */
export const makePage = async (): Promise<Page> => {
  const template = await readFile(templateFile, 'utf8')
  const parts = [...template.matchAll(marker)].map(([, part]) => part as string)
  const figures = new Map(await Promise.all(parts.map(async part => [part, await readFigures(part)] as const)))
  const text = template.replaceAll(marker, (_, part: string) => sectionOf(part, figures.get(part) ?? null))
  const charts = [...figures].flatMap(([part, each]) => (each ? [[chartFile(part), chartOf(each)] as const] : []))
  return new Map([['benchmarks.md', text], ...charts])
}

export const writePage = async (): Promise<void> => {
  for (const [path, text] of await makePage()) {
    await mkdir(dirname(join(docs, path)), { recursive: true })
    await writeFile(join(docs, path), text)
  }
}

const chartFile = (part: string): string => `benchmarks/${part}.svg`

/** Null: never measured. */
const readFigures = async (part: string): Promise<readonly Figure[] | null> => {
  try {
    return JSON.parse(await readFile(join(outDir, `${part}.json`), 'utf8')) as readonly Figure[]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

const sectionOf = (part: string, figures: readonly Figure[] | null): string => {
  if (!figures) return `Not measured yet: \`make bench PART=${part}\`.`
  return [
    `![${part}: ours beside the reference](${chartFile(part)})`,
    '',
    '| | ours | reference | unit | ratio | bar | |',
    '|---|--:|--:|---|--:|--:|---|',
    ...figures.map(figure => {
      const { name, ours, reference, unit, ratio, bar } = figure
      const numbers = `${shown(ours)} | ${shown(reference)} | ${unit} | ${ratio.toFixed(2)} | ${bar?.toFixed(2) ?? ''}`
      return `| ${name} | ${numbers} | ${verdictOf(figure)} |`
    }),
    '',
    '<details><summary>How each was taken</summary>',
    '',
    ...figures.map(({ name, method }) => `- **${name}**: ${method}.`),
    '',
    '</details>',
  ].join('\n')
}
