import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Table from 'cli-table3'
import { type Figure, isMissed } from './figure.ts'

/** Figures and the words of what was measured. Results of a run are no sources: the folder is not in git. `docs/benchmarks.md` holds one run. */
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
    const verdict = bar === null ? 'shown' : isMissed(figure) ? 'MISSED' : 'met'
    table.push([name, shown(ours), shown(reference), unit, ratio.toFixed(2), bar?.toFixed(2) ?? '', verdict])
  }
  return table.toString()
}

const shown = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 4 })
