import { MemoryCluster } from '../../../runtime/cql/testing/memory-cluster.ts'
import type { MemoryNode } from '../../../runtime/cql/testing/memory-node.ts'
import { storeSync } from '../processes/services.ts'
import type { World } from '../world.ts'
import { checkerClient } from './broker.ts'

/** The store: three replicas that sync their commit logs now and then. */
export const openCluster = (world: World): MemoryCluster => {
  const { timeline, weather, storeWatch } = world
  const dice = world.dice('store')
  const { requestLost, answerLost, latencyMs, replicaLate, replicaNever, readRepair } = weather.store
  const goesWrong = (client: string): boolean => !world.isCalm && client !== checkerClient
  const cluster: MemoryCluster = new MemoryCluster({
    clock: timeline,
    network: ({ client, kind }) => {
      world.trace.mix(`${client} ${kind}`)
      if (!goesWrong(client)) return 'delivered'
      if (dice.chance(requestLost)) {
        world.fault('store request lost')
        return 'request-lost'
      }
      if (!dice.chance(answerLost)) return 'delivered'
      world.fault('store answer lost')
      return 'answer-lost'
    },
    latencyMs: client => (client === checkerClient ? 0 : dice.between(0, latencyMs * 2) / 2),
    replicaMs: client => {
      if (!goesWrong(client)) return dice.between(0, latencyMs)
      if (dice.chance(replicaNever)) {
        world.fault('write never reached a replica')
        return null
      }
      if (!dice.chance(replicaLate)) return dice.between(0, latencyMs)
      world.fault('write reached a replica late')
      return dice.between(50, 9000)
    },
    readOrder: replicas => dice.shuffled(replicas),
    readRepair: () => readRepair,
    writeTimeoutMs: 400,
    requestTimeoutMs: 1500,
    syncMs: storeSync.syncMs,
    onWrite: (client, mutations) => storeWatch.sent(client, mutations),
    onApply: applied => storeWatch.applied(applied),
    onRead: (client, cql, params) => storeWatch.read(client, cql, params),
    onStaleRead: (_client, then) => {
      world.reach('a replica of a read quorum was behind')
      if (then === 'repaired') world.reach('a read repaired a replica')
    },
    onTie: tie => world.violate('one key, one pos, two values', tie),
  })
  const sync = (node: MemoryNode): void => {
    node.sync(mutation => storeWatch.synced(node, mutation))
    // Never later than the period says.
    timeline.after(dice.between(storeSync.syncMs / 2, storeSync.syncMs), () => sync(node))
  }
  for (const [at, node] of cluster.nodes.entries()) timeline.after(at * 300, () => sync(node))
  return cluster
}
