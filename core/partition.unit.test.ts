import fc from 'fast-check'
import { Partitioners } from 'kafkajs'
import { expect, test } from 'vitest'
import { userId } from './ids.ts'
import { partitionOf, userKey } from './partition.ts'

const partitioner = Partitioners.DefaultPartitioner()
const theirs = (key: Buffer, partitions: number): number =>
  partitioner({
    topic: 'user.outputs',
    partitionMetadata: Array.from({ length: partitions }, (_, partitionId) => ({
      partitionId,
      leader: 1,
      partitionErrorCode: 0,
      replicas: [],
      isr: [],
      offlineReplicas: [],
    })),
    message: { key, value: null },
  })

test("every user's partition is the one that Kafka's own partitioner gives its key", () => {
  const anyUser = fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(0n, 10_000n))
  fc.assert(
    fc.property(anyUser, fc.integer({ min: 1, max: 300 }), (user, partitions) => {
      expect(partitionOf(userId(user), partitions)).toBe(theirs(userKey(userId(user)), partitions))
    }),
    { numRuns: 2000 },
  )
})

test('known values, so that a change of both sides is seen', () => {
  expect([1n, 42n, 1001n, 9_007_199_254_740_993n].map(user => partitionOf(userId(user), 12))).toEqual([3, 4, 0, 3])
  expect(userKey(userId(42n)).toString('hex')).toBe('3432')
})

test('a number of partitions that can not be is refused', () => {
  for (const partitions of [0, -1, 1.5, Number.NaN])
    expect(() => partitionOf(userId(1n), partitions)).toThrow(`${partitions} partitions: the number`)
})
