import { describe, expect, it } from 'vitest'
import { perfToolRate } from './perf-tool.ts'

const meanwhile = '234567 records sent, 46913.4 records/sec (13.42 MB/sec), 8.1 ms avg latency, 402.0 ms max latency.'
const total =
  '400000 records sent, 98765.43 records/sec (28.26 MB/sec), 9.26 ms avg latency, 402.00 ms max latency, 5 ms 50th, 27 ms 95th, 61 ms 99th, 99 ms 99.9th.'

describe('the rate of ProducerPerformance', () => {
  it('is that of its whole run', () => {
    expect(perfToolRate(`${meanwhile}\n${total}\n`)).toBe(98_765.43)
  })

  it('is not made up when it ended half way', () => {
    expect(() => perfToolRate(`${meanwhile}\n`)).toThrow('said no rate')
    expect(() => perfToolRate('')).toThrow('said no rate')
  })
})
