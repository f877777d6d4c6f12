import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Table from 'cli-table3'
import { type Figure, shown, verdictOf } from './figure.ts'

/** Figures, which are in git because `docs/benchmarks.md` is made from them, and the words of what was measured. */
export const outDir = join(import.meta.dirname, 'out')

/** For programs: the figures as JSON. Returns the path. */
export const writeFigures = async (part: string, figures: readonly Figure[]): Promise<string> => {
  const path = join(outDir, `${part}.json`)
  await writeFile(path, `${JSON.stringify(figures, null, 2)}\n`)
  return path
}

/** For people. */
export const tableOf = (figures: readonly Figure[]): string => {
  const table = new Table({
    head: ['', 'ours', 'reference', 'unit', 'ratio', 'bar', ''],
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'right', 'right', 'left', 'right', 'right', 'left'],
  })
  for (const figure of figures) {
    const { name, ours, reference, unit, ratio, bar } = figure
    const row = [name, shown(ours), shown(reference), unit, ratio.toFixed(2), bar?.toFixed(2) ?? '']
    table.push([...row, verdictOf(figure)])
  }
  return table.toString()
}
