import { describe, expect, it } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { MemoryBroker } from '../../runtime/kafka/testing/memory-broker.ts'
import { kafkaContract } from './kafka-contract.ts'

const fetchWaitMs = 20

describe('Kafka in memory keeps the contract', () => {
  describe('when everything happens at once', () => {
    kafkaContract(() => {
      const broker = new MemoryBroker({ clock: systemClock, fetchWaitMs })
      return Promise.resolve({ openClient: () => broker.client(), stem: 'memory' })
    })
  })

  describe('when everything takes its time', () => {
    let turn = 0
    // Different each time, and the same in each run.
    const slow = (most: number) => (): number => ++turn % most
    kafkaContract(() => {
      const broker = new MemoryBroker({
        clock: systemClock,
        fetchWaitMs,
        latencyMs: slow(3),
        markerDelayMs: slow(23),
        rebalanceDelayMs: slow(11),
        fetchCount: () => 2,
      })
      return Promise.resolve({ openClient: () => broker.client(), stem: 'memory' })
    })
  })

  it('has a clock of its own where it is given one', async () => {
    const broker = new MemoryBroker({ clock: systemClock, brokerClockUs: () => 1_234_567n })
    broker.addTopic({ topic: 'clock', partitions: 1, config: { 'message.timestamp.type': 'LogAppendTime' } })
    expect(await broker.client().brokerTimeMs('clock')).toBe(1234n)
  })
})
