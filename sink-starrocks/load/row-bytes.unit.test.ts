import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RowBytes } from './row-bytes.ts'

describe('RowBytes', () => {
  it('holds every text in UTF-8, however large it grows, and tells where each stands', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 3_000 })
    fc.assert(
      fc.property(fc.array(text, { maxLength: 20 }), texts => {
        const rows = new RowBytes()
        const places = texts.map(each => ({ start: rows.append(each), end: rows.length }))
        expect(rows.bytes.toString()).toBe(texts.join(''))
        expect(places.map(({ start, end }) => rows.bytes.toString('utf8', start, end))).toEqual(texts)
      }),
      { numRuns: 30 },
    )
  })

  it('has room for texts of three bytes a unit', () => {
    const rows = new RowBytes()
    const text = '\u20ac'.repeat(10_000)
    rows.append(text)
    rows.append(text)
    expect(rows.bytes.toString()).toBe(text + text)
  })
})
