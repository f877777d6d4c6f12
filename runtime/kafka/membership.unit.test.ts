import { EventEmitter } from 'node:events'
import { expect, test, vi } from 'vitest'
import type { LazyAdmin } from './admin.ts'
import type { Client } from './client.ts'
import { kafkaLimits } from './limits.ts'
import { PausedMembership } from './membership.ts'
import type { Assignment } from './port.ts'

const [sessionTimeoutMs, heartbeatIntervalMs] = [60, 5]
const soon = { timeout: 10_000, interval: 2 }

/** A kafkajs consumer that does nothing; the test says what it tells. */
const told = () => {
  const emitter = new EventEmitter()
  const nothing = (): Promise<void> => Promise.resolve()
  const consumer = {
    events: { GROUP_JOIN: 'join', HEARTBEAT: 'heartbeat', CRASH: 'crash' },
    on: (event: string, listener: (told: unknown) => void) => emitter.on(event, listener),
    pause: () => {},
    connect: nothing,
    subscribe: nothing,
    run: nothing,
    disconnect: nothing,
  }
  const client = { kafka: { consumer: () => consumer }, reset: () => {}, cut: () => {} }
  const join = (partitions: readonly number[]): void =>
    void emitter.emit('join', { payload: { memberAssignment: { t: partitions }, memberId: 'me' } })
  const heartbeat = (memberId = 'me'): void =>
    void emitter.emit('heartbeat', { payload: { memberId, groupGenerationId: 1 } })
  return { client: client as unknown as Client, join, heartbeat }
}

test('a member whose heartbeats are answered again has what it gave up while they were not', async () => {
  const { client, join, heartbeat } = told()
  const assigned: (readonly number[])[] = []
  const joining = PausedMembership.join(
    { openClient: () => client, admin: {} as LazyAdmin, limits: kafkaLimits },
    {
      ...{ group: 'g', topic: 't', sessionTimeoutMs, heartbeatIntervalMs },
      onAssignment: ({ partitions }: Assignment) => assigned.push(partitions),
      onFailure: () => {},
    },
  )
  join([0])
  const membership = await joining
  await vi.waitUntil(() => assigned.length === 2, soon)
  expect(assigned).toEqual([[0], []])
  // Of the life before: it says nothing of ours.
  heartbeat('another')
  expect(assigned).toHaveLength(2)
  heartbeat()
  expect(assigned).toEqual([[0], [], [0]])
  heartbeat()
  expect(assigned).toHaveLength(3)
  await vi.waitUntil(() => assigned.length === 4, soon)
  join([])
  heartbeat()
  expect(assigned.slice(3)).toEqual([[], []])
  await membership.leave()
})
