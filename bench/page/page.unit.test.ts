import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { moreIsBetter, lessIsBetter } from '../figure.ts'
import { chartOf, limitOf } from './chart.ts'
import { makePage } from './page.ts'

const docs = join(import.meta.dirname, '../../docs')
const compared = { name: 'x', ours: 30, reference: 40, bar: 0.6, unit: 'trades/s', method: 'as told' }

describe('the page of benchmarks', () => {
  it('is what the committed figures give, its charts too', async () => {
    for (const [path, text] of await makePage()) expect(await readFile(join(docs, path), 'utf8')).toBe(text)
  })
})

describe('a chart', () => {
  it('is the same text whatever was drawn before it', () => {
    const figures = [moreIsBetter(compared), lessIsBetter({ ...compared, name: 'y', unit: 'ms' })]
    const svg = chartOf(figures)
    expect(svg.startsWith('<svg ')).toBe(true)
    expect(svg).toContain('>30<')
    expect(chartOf(figures)).toBe(svg)
  })

  it('marks what ours must reach, whichever way the unit goes', () => {
    expect(limitOf(moreIsBetter(compared))).toBe(24)
    expect(limitOf(lessIsBetter({ ...compared, unit: 'ms', bar: 0.5 }))).toBe(80)
    expect(limitOf(moreIsBetter({ ...compared, bar: null }))).toBeNaN()
  })
})
