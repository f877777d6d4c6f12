import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NumberText } from '../sql/value-reader.ts'
import { BodyError, jsonRows } from './json-rows.ts'

const read = (text: string, shape: 'array' | 'objects' = 'array') =>
  [...jsonRows(Buffer.from(text), shape)].flatMap(batch => batch.rows)

const fields = (text: string, shape: 'array' | 'objects' = 'array') =>
  read(text, shape).map(row => (row.kind === 'object' ? row.fields : row))

describe('rows of a JSON body', () => {
  const object = fc.dictionary(
    fc.string(),
    fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean(), fc.constant(null)),
  )

  test('any objects come out as they went in, however they are spaced', () => {
    fc.assert(
      fc.property(fc.array(object, { maxLength: 20 }), fc.constantFrom(undefined, 1, '\t'), (rows, space) => {
        expect(fields(JSON.stringify(rows, null, space))).toEqual(rows)
        expect(fields(rows.map(row => JSON.stringify(row, null, space)).join('\n'), 'objects')).toEqual(rows)
      }),
    )
  })

  test('more rows than a batch keep their order and their text', () => {
    const rows = Array.from({ length: 5000 }, (_, id) => ({ id }))
    const read5000 = read(JSON.stringify(rows))
    expect(read5000.map(row => row.text())).toEqual(rows.map(row => JSON.stringify(row)))
  })

  test('any integer is exact', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n }), integer => {
        const [row] = fields(`[{"a" : ${integer}}]`) as [{ a: number | NumberText }]
        expect(row.a instanceof NumberText ? row.a.text : String(row.a)).toBe(String(integer))
      }),
    )
  })

  test('a fraction keeps its text', () => {
    expect(fields('[{"a":0.10,"b":1e400}]')).toEqual([{ a: new NumberText('0.10'), b: new NumberText('1e400') }])
  })

  test('one unreadable row is told apart from its neighbours', () => {
    expect(read('[{"a":1},{"a":tru},{"a":2}]').map(row => row.kind)).toEqual(['object', 'unreadable', 'object'])
  })

  test.each(['', '[', ']', '{}', '[{}', '[{}]]', '[{},,{}]', '[,{}]', '[{} {}]', '[{"a":"]', '[[]]', 'null'])(
    'the body %j is refused whole',
    body => {
      expect(() => read(body)).toThrow(BodyError)
    },
  )
})
