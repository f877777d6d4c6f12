import { createRequire } from 'node:module'
import type * as Kafkajs from 'kafkajs'
import { type DecodeRecord, decodeRecordBy } from './decode-record.ts'
import { groupMessagesPerPartition } from './group-messages.ts'
import { letEmptyQueuesRest } from './resting-queues.ts'

const load = createRequire(import.meta.url)

/** Has to be in its place before kafkajs is loaded, which keeps what it finds there; private, so the version is pinned. */
const putInPlace = <Own>(path: string, ours: (own: Own) => Own): void => {
  const own = load(path) as Own
  const module = load.cache[load.resolve(path)]
  if (module) module.exports = ours(own)
}
putInPlace('kafkajs/src/producer/groupMessagesPerPartition.js', () => groupMessagesPerPartition)
putInPlace<DecodeRecord>('kafkajs/src/protocol/recordBatch/record/v0/decoder.js', decodeRecordBy)
letEmptyQueuesRest()

/** kafkajs with what is mended in it. Everything in this folder has it from here. */
export const kafkajs = load('kafkajs') as typeof Kafkajs
