import { createRequire } from 'node:module'
import fc from 'fast-check'
import type { Message } from 'kafkajs'
import { expect, test } from 'vitest'
import { kafkajs } from './kafkajs.ts'

type Sent = {
  readonly topic: string
  readonly partitions: { readonly partition: number; readonly messages: Message[] }[]
}
type Send = (batch: { readonly topicMessages: { readonly topic: string; readonly messages: Message[] }[] }) => unknown

/** What kafkajs hands to one broker, which leads all partitions. */
const sentToBroker = async (messages: Message[], partitions: number): Promise<Sent[]> => {
  const createSend = createRequire(import.meta.url)('kafkajs/src/producer/sendMessages.js') as (parts: object) => Send
  const sent: Sent[] = []
  const produce = async ({ topicData }: { readonly topicData: Sent[] }) => {
    sent.push(...topicData)
    return { topics: [] }
  }
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({ partitionId, leader: 1 }))
  const nothing = async (): Promise<void> => {}
  await createSend({
    logger: {},
    partitioner: kafkajs.Partitioners.DefaultPartitioner(),
    retrier: (work: () => unknown) => work(),
    cluster: {
      addMultipleTargetTopics: nothing,
      refreshMetadataIfNecessary: nothing,
      findTopicPartitionMetadata: () => partitionMetadata,
      findLeaderForPartitions: (_: string, found: string[]) => ({ 1: found.map(Number) }),
      findBroker: async () => ({ nodeId: 1, produce }),
    },
    eosManager: {
      acquireBrokerLock: nothing,
      releaseBrokerLock: nothing,
      isTransactional: () => false,
      getSequence: () => 0,
      updateSequence: () => {},
      getProducerId: () => -1,
      getProducerEpoch: () => 0,
    },
  })({ topicMessages: [{ topic: 't', messages }] })
  return sent
}

const numbered = (partitions: readonly number[]): Message[] =>
  partitions.map((partition, index) => ({ key: null, value: `${index}`, partition }))

test('a producer sends each partition its messages, all of them and in their order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(4), { minLength: 1, maxLength: 50 }), async partitions => {
      const messages = numbered(partitions)
      const [sent] = await sentToBroker(messages, 5)
      const byPartition = Map.groupBy(messages, ({ partition }) => partition as number)
      const got = new Map(sent?.partitions.map(each => [each.partition, each.messages]))
      expect(got).toEqual(byPartition)
    }),
  )
})

test('a producer goes through its messages once, where kafkajs copies a list for each', async () => {
  const messages = numbered([1, 0, 1])
  messages.reduce = () => {
    throw new Error('grouped by kafkajs')
  }
  const [sent] = await sentToBroker(messages, 2)
  expect(sent?.partitions.map(each => each.messages.length)).toEqual([1, 2])
})
