import { expect, it } from 'vitest'
import { LiveLoss } from './live-loss.ts'

const frames = 200_000
const lossesOf = (settings: { seed?: bigint; epoch?: bigint; percent: number }): readonly boolean[] => {
  const loss = new LiveLoss({ seed: 1n, epoch: 1n, ...settings })
  return Array.from({ length: frames }, () => loss.loses())
}
const share = (losses: readonly boolean[]): number => (losses.filter(lost => lost).length / losses.length) * 100

it.each([1, 20, 90])('loses about %s percent', percent => {
  const found = share(lossesOf({ percent }))
  expect(found).toBeGreaterThan(percent * 0.8)
  expect(found).toBeLessThan(percent * 1.2)
})

it('loses nothing unless told to', () => {
  expect(share(lossesOf({ percent: 0 }))).toBe(0)
})

it('loses in bursts', () => {
  const losses = lossesOf({ percent: 10 })
  const bursts = losses.filter((lost, i) => lost && losses[i - 1] !== true).length
  expect(losses.filter(lost => lost).length / bursts).toBeGreaterThan(20)
})

it('is decided by seed and session', () => {
  expect(lossesOf({ percent: 10 })).toEqual(lossesOf({ percent: 10 }))
  expect(lossesOf({ percent: 10, epoch: 2n })).not.toEqual(lossesOf({ percent: 10 }))
  expect(lossesOf({ percent: 10, seed: 2n })).not.toEqual(lossesOf({ percent: 10 }))
})
