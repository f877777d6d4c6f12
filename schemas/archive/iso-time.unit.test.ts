import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatTimeUs, parseTimeUs } from './iso-time.ts'

test.each([
  [0n, '1970-01-01T00:00:00.000000Z'],
  [-1n, '1969-12-31T23:59:59.999999Z'],
  [1_700_000_000_123_456n, '2023-11-14T22:13:20.123456Z'],
  [253_402_300_799_999_999n, '9999-12-31T23:59:59.999999Z'],
  [253_402_300_800_000_000n, '+010000-01-01T00:00:00.000000Z'],
  [2n ** 63n - 1n, '+294247-01-10T04:00:54.775807Z'],
  [-(2n ** 63n), '-290308-12-21T19:59:05.224192Z'],
])('%d is %s', (timeUs, text) => {
  expect(formatTimeUs(timeUs)).toBe(text)
  expect(parseTimeUs(text)).toBe(timeUs)
})

test('agrees with Date wherever Date reaches, and reads back everywhere', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), timeUs => {
      const text = formatTimeUs(timeUs)
      expect(parseTimeUs(text)).toBe(timeUs)
      const ms = (timeUs - (((timeUs % 1000n) + 1000n) % 1000n)) / 1000n
      if (ms > -8_640_000_000_000_000n && ms < 8_640_000_000_000_000n)
        expect(`${text.slice(0, -4)}Z`).toBe(new Date(Number(ms)).toISOString())
    }),
  )
})

test.each(['2023-11-14T22:13:20.123Z', '2023-02-30T00:00:00.000000Z', '2023-11-14 22:13:20.123456Z', ''])(
  '%j is no such time',
  text => expect(parseTimeUs(text)).toBeNull(),
)
