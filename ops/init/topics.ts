import type { KafkaAdmin, TopicSpec } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { type Finding, missing, present, refused } from './finding.ts'

export type TopicSettings = {
  readonly partitions: number
  readonly replicationFactor: number
  readonly minInsyncReplicas: number
  readonly maxMessageBytes: number
}

/** The topics a stream needs. The log and what is made of it are kept for ever: they are the truth. */
export const topicSpecs = (names: StreamNames, settings: TopicSettings): readonly TopicSpec[] => {
  const { log, users, commands, clock } = names.topics
  const kept = {
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': '-1',
    'max.message.bytes': `${settings.maxMessageBytes}`,
    'min.insync.replicas': `${settings.minInsyncReplicas}`,
    'unclean.leader.election.enable': 'false',
    // The record's time is pos, which the bridge stamped; the broker must not put its own in its place.
    'message.timestamp.type': 'CreateTime',
  }
  const spec = (topic: string, partitions: number, config: Readonly<Record<string, string>>): TopicSpec => ({
    topic,
    partitions,
    replicationFactor: settings.replicationFactor,
    config,
  })
  return [
    spec(log, 1, kept),
    spec(users, settings.partitions, kept),
    spec(commands, 1, kept),
    // Probes that ask for the broker's time: only the answer counts.
    spec(clock, 1, { ...kept, 'retention.ms': '3600000', 'message.timestamp.type': 'LogAppendTime' }),
  ]
}

/** Compares the topics with what the stream needs. */
export const inspectTopics = async (admin: KafkaAdmin, specs: readonly TopicSpec[]): Promise<readonly Finding[]> => {
  const counts = await admin.partitionCounts(specs.map(({ topic }) => topic))
  const findings: Finding[] = []
  for (const spec of specs) findings.push(...(await inspectTopic(admin, spec, counts.get(spec.topic))))
  return findings
}

const inspectTopic = async (
  admin: KafkaAdmin,
  spec: TopicSpec,
  count: number | undefined,
): Promise<readonly Finding[]> => {
  const thing = `topic ${spec.topic}`
  if (count === undefined)
    return [
      missing(`${thing} (${spec.partitions} partition${spec.partitions === 1 ? '' : 's'})`, async () => {
        await admin.createTopics([spec])
      }),
    ]
  const problems: Finding[] = []
  if (count !== spec.partitions) problems.push(refused(`${thing} ${wrongCount(spec, count)}`))
  const config = await admin.topicConfig(spec.topic, Object.keys(spec.config))
  for (const [key, expected] of Object.entries(spec.config)) {
    const found = config.get(key)
    if (found !== expected)
      problems.push(
        refused(
          `${thing}: ${key} is ${found ?? 'not told by the broker'}, must be ${expected}; set it with kafka-configs.sh --alter, or change the setting it comes from`,
        ),
      )
  }
  return problems.length > 0 ? problems : [present(thing)]
}

const wrongCount = ({ topic, partitions }: TopicSpec, count: number): string =>
  topic.endsWith('.user.outputs')
    ? `has ${count} partitions, PARTITIONS says ${partitions}; set PARTITIONS=${count}, or take a new stream: a new number of partitions is a new topic, new groups and a rebuild`
    : `has ${count} partitions, must have ${partitions}: its order is the order of the one partition; take a new stream`
