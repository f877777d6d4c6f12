import { expect, it } from 'vitest'
import { chaosSettings } from './settings.ts'

it('have defaults, and draw a seed', () => {
  expect(chaosSettings({ SEED: '' })).toMatchObject({ target: 'bridge', durationMs: 120_000, rate: 5000 })
  expect(chaosSettings({ TARGET: 'settle' })).toMatchObject({ target: 'settle', rate: 30 })
  expect(chaosSettings({ TARGET: 'sink' })).toMatchObject({ target: 'sink', rate: 40 })
  expect(chaosSettings({}).seed).toBeGreaterThan(0n)
  expect(chaosSettings({ SEED: '7', DURATION_S: '30' })).toMatchObject({ seed: 7n, durationMs: 30_000 })
})

it('report all problems together', () => {
  expect(() => chaosSettings({ TARGET: 'moon', DURATION_S: '1', SEED: '-1', RATE: 'fast' })).toThrow(
    /TARGET="moon": must be one of bridge, settle, sink\n.*DURATION_S="1": must .*\n.*SEED="-1": must .*\n.*RATE="fast": must /,
  )
})
