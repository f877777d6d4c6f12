import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RowBytes } from './row-bytes.ts'

describe('RowBytes', () => {
  it('holds every text in UTF-8, however large it grows', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 3_000 })
    fc.assert(
      fc.property(fc.array(text, { maxLength: 20 }), texts => {
        const rows = new RowBytes()
        for (const each of texts) rows.append(each)
        expect(rows.bytes.toString()).toBe(texts.join(''))
        expect(rows.length).toBe(Buffer.byteLength(texts.join('')))
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
