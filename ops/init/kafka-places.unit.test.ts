import { beforeEach, describe, expect, test } from 'vitest'
import { namesOf } from '../../runtime/names.ts'
import { FakeKafka } from '../testing/fake-kafka.ts'
import { barrierBytes } from '../testing/records.ts'
import { groupSpecs, inspectGroups } from './groups.ts'
import { init, type InitMode, type InitPlace } from './init.ts'
import { inspectTopics, topicSpecs } from './topics.ts'

const names = namesOf('demo')
const partitions = 3
const settings = { partitions, replicationFactor: 1, minInsyncReplicas: 1, maxMessageBytes: 8_000_000 }
const groupNames = ['demo.settle', 'demo.load', 'demo.archive', 'demo.archive-log', 'demo.bridge']

let kafka: FakeKafka
const places = (over: Partial<typeof settings> = {}): readonly InitPlace[] => [
  { name: 'Kafka', inspect: () => inspectTopics(kafka.admin, topicSpecs(names, { ...settings, ...over })) },
  {
    name: 'Kafka',
    inspect: () => inspectGroups(kafka, groupSpecs(names, over.partitions ?? partitions)),
  },
]
const run = async (mode: InitMode = 'make', over: Partial<typeof settings> = {}) =>
  (await init(places(over), mode)).rows

beforeEach(() => {
  kafka = new FakeKafka()
})

describe('a new stream', () => {
  test('gets its topics and the first offsets of its groups', async () => {
    const rows = await run()
    expect(rows.map(({ done }) => done)).toEqual(Array.from({ length: 9 }, () => 'made'))
    const counts = [...kafka.topics].map(([topic, { partitions: all }]) => [topic, all.length])
    expect(counts).toEqual([
      ['demo.engine.outputs', 1],
      ['demo.user.outputs', 3],
      ['demo.operator.commands', 1],
      ['demo.clock', 1],
    ])
    expect(kafka.topics.get('demo.engine.outputs')?.config.get('retention.ms')).toBe('-1')
    expect(kafka.topics.get('demo.engine.outputs')?.config.get('message.timestamp.type')).toBe('CreateTime')
    expect(kafka.topics.get('demo.clock')?.config.get('message.timestamp.type')).toBe('LogAppendTime')
    expect([...kafka.groups.keys()]).toEqual(groupNames)
    expect([...(kafka.groups.get('demo.settle')?.get('demo.user.outputs') ?? [])]).toEqual(
      [0, 1, 2].map(partition => [partition, { offset: 0n, metadata: 'n=0 pos=0' }]),
    )
    expect([...(kafka.groups.get('demo.archive-log')?.get('demo.engine.outputs') ?? [])]).toHaveLength(1)
  })

  test('is only looked at by a dry run', async () => {
    const rows = await run('dry-run')
    expect(rows.map(({ done }) => done)).toEqual(Array.from({ length: 9 }, () => 'would be made'))
    expect(kafka.changes).toEqual([])
  })

  test('a second run changes nothing, also after the groups have read on', async () => {
    await run()
    kafka.produce('demo.user.outputs', 1, [barrierBytes({ n: 1n, pos: 70n, partitions })])
    kafka.commit('demo.settle', 'demo.user.outputs', new Map([[1, { offset: 1n, metadata: 'n=1 pos=70' }]]))
    kafka.changes.length = 0
    const rows = await run()
    expect(new Set(rows.map(({ done }) => done))).toEqual(new Set(['was there']))
    expect(kafka.changes).toEqual([])
  })
})

describe('what is there and can not be used is named, and nothing is made', () => {
  const refusal = async (over: Partial<typeof settings> = {}): Promise<string> => {
    kafka.changes.length = 0
    const error = await run('make', over).then(
      () => expect.fail('init made it'),
      (each: Error) => each,
    )
    expect(error).toMatchObject({ name: 'Stop', code: 'init-refused', reason: 'refused' })
    expect(kafka.changes).toEqual([])
    return error.message
  }

  test('another number of partitions', async () => {
    await run()
    expect(await refusal({ partitions: 4 })).toContain(
      'topic demo.user.outputs has 3 partitions, PARTITIONS says 4; set PARTITIONS=3',
    )
  })

  test('a topic that forgets, or takes other times', async () => {
    await run()
    kafka.topics.get('demo.engine.outputs')?.config.set('retention.ms', '604800000')
    kafka.topics.get('demo.user.outputs')?.config.set('message.timestamp.type', 'LogAppendTime')
    const message = await refusal()
    expect(message).toContain('topic demo.engine.outputs: retention.ms is 604800000, must be -1')
    expect(message).toContain('topic demo.user.outputs: message.timestamp.type is LogAppendTime, must be CreateTime')
  })

  test('a group whose topic was made again: shorter, or with other records', async () => {
    await run()
    const progress = new Map([[2, { offset: 1n, metadata: 'n=1 pos=70' }]])
    kafka.commit('demo.load', 'demo.user.outputs', progress)
    expect(await refusal()).toContain('partition 2, offset 1 is outside what the topic holds, 0 to 0')
    kafka.produce('demo.user.outputs', 2, [barrierBytes({ n: 1n, pos: 71n, partitions })])
    expect(await refusal()).toContain('the record before it is n=1 pos=71, the group read n=1 pos=70')
  })

  test('a group with offsets that nobody of ours wrote, or of some partitions only', async () => {
    await run()
    kafka.commit('demo.archive', 'demo.user.outputs', new Map([[0, { offset: 0n, metadata: '' }]]))
    kafka.groups.get('demo.load')?.get('demo.user.outputs')?.delete(1)
    const message = await refusal()
    expect(message).toContain('group demo.archive on demo.user.outputs: partition 0, offset 0 carries metadata ""')
    expect(message).toContain('group demo.load on demo.user.outputs has offsets of 2 partitions, none of 1')
  })

  test('a group that reads already without offsets', async () => {
    kafka.members.set('demo.settle', 2)
    expect(await refusal()).toContain('group demo.settle on demo.user.outputs has 2 members but no offsets')
  })
})
