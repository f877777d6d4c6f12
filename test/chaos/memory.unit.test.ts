import { expect, it } from 'vitest'
import { judgeMemory, residentMb, type Sample } from './memory.ts'

const bounds = { limitMb: 250, riseMb: 50, faultsEndMs: 80_000 }
const samples = (...mb: readonly number[]): readonly Sample[] =>
  mb.map((each, i) => ({ atMs: i * 10_000, name: `bridge-${(i % 2) + 1}`, mb: each }))

it('has nothing against peaks that come and go', () => {
  const verdict = judgeMemory(samples(60, 200, 90, 180, 70, 210, 80, 220), bounds)
  expect(verdict).toEqual({ largestMb: 220, quartersMb: [200, 180, 210, 220], problems: [] })
})

it('finds one process above the limit', () => {
  expect(judgeMemory(samples(60, 251, 90, 180, 70, 210, 80, 220), bounds).problems).toEqual([
    'bridge-2 took 251 MB, the limit is 250 MB',
  ])
})

it('finds that peaks rise', () => {
  expect(judgeMemory(samples(60, 80, 70, 90, 80, 100, 90, 151), bounds).problems.join()).toContain('memory rises')
})

it('finds no trend in the calm after the faults, nor in a minute', () => {
  expect(judgeMemory(samples(60, 80, 70, 90, 80, 100, 90, 100, 240), bounds).problems).toEqual([])
  const short = samples(60, 200).map(sample => ({ ...sample, atMs: sample.atMs * 5 }))
  expect(judgeMemory(short, { ...bounds, faultsEndMs: 50_000 }).problems).toEqual([])
})

it('knows the memory of a process, and that of one that is gone', () => {
  expect(residentMb(process.pid)).toBeGreaterThan(10)
  expect(residentMb(2 ** 30)).toBeNull()
})
