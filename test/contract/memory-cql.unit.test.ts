import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { MemoryCluster, type MemoryClusterOptions } from '../../runtime/cql/testing/memory-cluster.ts'
import { MemoryCql } from '../../runtime/cql/testing/memory-cql.ts'
import { CqlTuple } from '../../runtime/cql/port.ts'
import { cqlContract } from './cql-contract.ts'

const open = (options: Partial<MemoryClusterOptions> = {}): { cluster: MemoryCluster; cql: MemoryCql } => {
  const cluster = new MemoryCluster({ clock: systemClock, ...options })
  return { cluster, cql: new MemoryCql({ cluster, name: 'c', clock: systemClock, log: pino({ level: 'silent' }) }) }
}
const cell = (version: bigint) => ({
  cql: 'INSERT INTO balances (user_id, asset, bal) VALUES (?, ?, ?) USING TIMESTAMP ?',
  params: [1n, 1, new CqlTuple(0n, 0n, version, version), version],
})
const version = async (cql: MemoryCql): Promise<unknown> =>
  ((await cql.query('SELECT bal FROM balances WHERE user_id = ?', [1n]))[0]?.['bal'] as bigint[] | undefined)?.[2]

describe('a store in memory keeps the contract', () => {
  describe('when everything happens at once', () => {
    cqlContract(() => Promise.resolve(open().cql))
  })

  describe('when a replica never hears of a write', () => {
    let turn = 0
    cqlContract(() => Promise.resolve(open({ replicaMs: () => (++turn % 3 === 0 ? null : 0) }).cql))
  })
})

describe('three replicas in memory', () => {
  it('let no quorum miss what one has acknowledged, and may show what none has', async () => {
    let reached = 3
    let first = 0
    const { cluster, cql } = open({
      replicaMs: () => (reached-- > 0 ? 0 : null),
      readOrder: replicas => [...replicas.slice(first), ...replicas.slice(0, first)],
      readRepair: () => false,
      writeTimeoutMs: 1,
    })
    reached = 2
    await cql.write([cell(1n)])
    for (first = 0; first < 3; first++) expect(await version(cql)).toBe(1n)
    // One replica alone takes it, and nobody is told that it was written.
    reached = 1
    await expect(cql.write([cell(2n)], AbortSignal.timeout(20))).rejects.toMatchObject({ kind: 'aborted' })
    first = 0
    expect(await version(cql)).toBe(2n)
    first = 1
    expect(await version(cql)).toBe(1n)
    expect(cluster.nodes.length).toBe(3)
  })

  it('lose with the power what was not synced, and tell it by another generation', async () => {
    const { cluster, cql } = open()
    await cql.write([cell(1n)])
    for (const node of cluster.nodes) node.sync()
    await cql.write([cell(2n)])
    const before = await cql.nodeGenerations()
    for (const node of cluster.nodes) {
      node.losePower()
      node.restart(0)
    }
    expect(await version(cql)).toBe(1n)
    for (const [name, generation] of await cql.nodeGenerations()) expect(generation).not.toBe(before.get(name))
  })

  it('name two values at one timestamp, wherever they arrive', async () => {
    const ties: string[] = []
    const { cql } = open({ onTie: tie => ties.push(tie) })
    const other = { ...cell(1n), params: [1n, 1, new CqlTuple(5n, 0n, 1n, 1n), 1n] }
    for (const each of [cell(1n), cell(1n)]) await cql.write([each])
    expect(ties).toEqual([])
    await cql.write([other])
    expect(ties.length).toBe(1)
  })
})
