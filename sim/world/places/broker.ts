import { pos } from '../../../core/ids.ts'
import { type BrokerRequest, type Delivery, MemoryBroker } from '../../../runtime/kafka/testing/memory-broker.ts'
import { toCommitted } from '../../../runtime/reader/progress.ts'
import type { World } from '../world.ts'

/** Nobody's requests but theirs: what reads for the checks is never held up. */
export const checkerClient = 'checker'

/** Kafka, with topics and first offsets as `settle init` leaves them. */
export const openBroker = (world: World): MemoryBroker => {
  const { timeline, names, weather } = world
  const dice = world.dice('kafka')
  const { latencyMs, markerMs } = weather.kafka
  const aheadUs = BigInt(dice.between(-400_000, 400_000))
  const broker: MemoryBroker = new MemoryBroker({
    clock: timeline,
    brokerClockUs: () => timeline.nowUs() + aheadUs,
    network: request => {
      const delivery = deliver(world, dice, request)
      world.trace.mix(`${request.client} ${request.kind} ${request.target}`)
      return delivery
    },
    onLate: ({ kind }, outcome) => {
      if (kind !== 'end-transaction') return
      world.reach(
        outcome === 'done' ? 'a commit of unknown outcome was made later' : 'a commit of unknown outcome came too late',
      )
    },
    latencyMs: ({ client }) => (client === checkerClient ? 0 : dice.between(0, latencyMs * 2) / 2),
    markerDelayMs: () => dice.between(0, markerMs),
    rebalanceDelayMs: () => dice.between(5, 400),
    assignmentTurn: () => dice.below(4),
    fetchCount: () => dice.between(1, 40),
    onMemberCommit: commit => {
      if (commit.group === names.groups.settle) world.commitWatch.committed(commit.partition, commit.offset)
    },
    sessionTimeoutMs: 3000,
    transactionTimeoutMs: 6000,
  })
  const wide = { 'max.message.bytes': '8388608' }
  broker.addTopic({ topic: names.topics.log, partitions: 1, config: wide })
  broker.addTopic({ topic: names.topics.commands, partitions: 1 })
  broker.addTopic({ topic: names.topics.clock, partitions: 1, config: { 'message.timestamp.type': 'LogAppendTime' } })
  broker.addTopic({ topic: names.topics.users, partitions: weather.partitions, config: wide })
  broker.offsets(names.groups.bridge, names.topics.commands).set(0, { offset: 0n, metadata: '' })
  const first = toCommitted({ offset: 0n, n: 0n, pos: pos(0n) })
  for (let partition = 0; partition < weather.partitions; partition++)
    broker.offsets(names.groups.settle, names.topics.users).set(partition, first)
  return broker
}

const deliver = (world: World, dice: ReturnType<World['dice']>, request: BrokerRequest): Delivery => {
  if (world.isCalm || request.client === checkerClient) return 'delivered'
  const { requestLost, answerLost, late } = world.weather.kafka
  const isCommit = request.kind === 'end-transaction'
  // Commits are few, and what becomes of them matters most.
  const worse = isCommit ? 5 : 1
  if (dice.chance(requestLost * worse)) {
    world.fault('kafka request lost')
    if (isCommit) world.reach('a commit of unknown outcome had not been made')
    return 'request-lost'
  }
  if (dice.chance(answerLost * worse)) {
    world.fault('kafka answer lost')
    if (isCommit) world.reach('a commit of unknown outcome had been made')
    return 'answer-lost'
  }
  if (!dice.chance(late * worse)) return 'delivered'
  world.fault('kafka request late')
  return { lateMs: dice.between(20, 6000) }
}
