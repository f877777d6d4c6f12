import { expect, test } from 'vitest'
import { initialToken } from './cassandra.ts'

test('the tokens of a ring lie at equal distances, and none is the least', () => {
  expect(initialToken(1, 1)).toBe('0')
  expect([1, 2, 3].map(node => initialToken(node, 3))).toEqual(['-6148914691236517205', '0', '6148914691236517205'])
})
