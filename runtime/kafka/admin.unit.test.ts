import type { Admin } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { LazyAdmin } from './admin.ts'
import type { Client } from './client.ts'
import { type KafkaLimits, kafkaLimits } from './limits.ts'

const brokerError = (type: string): Error => Object.assign(new Error(`said ${type}`), { type })

/** A kafkajs whose broker answers each question about a group with the next of these errors, and then with one member. */
const adminThatMeets = (errors: readonly string[], limits: Partial<KafkaLimits> = {}) => {
  let asked = 0
  const kafkajs = {
    connect: async () => {},
    disconnect: async () => {},
    describeGroups: async () => {
      const error = errors[asked++]
      if (error !== undefined) throw brokerError(error)
      return { groups: [{ members: [{ clientId: 'one', clientHost: '/127.0.0.1' }] }] }
    },
  } as unknown as Admin
  const client = { kafka: { admin: () => kafkajs }, reset: () => {}, cut: () => {} } as unknown as Client
  const admin = new LazyAdmin({ openClient: () => client, limits: { ...kafkaLimits, ...limits } })
  return { admin, asked: () => asked }
}

describe('what a group’s coordinator is asked', () => {
  it.each(['NOT_COORDINATOR_FOR_GROUP', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'GROUP_LOAD_IN_PROGRESS'])(
    'is asked again while it is being elected: %s',
    async type => {
      const { admin, asked } = adminThatMeets([type, type])
      expect(await admin.members('g')).toEqual([{ clientId: 'one', host: '127.0.0.1' }])
      expect(asked()).toBe(3)
    },
  )

  it('fails as what it is when no coordinator is elected within the bound', async () => {
    const never = Array.from({ length: 1000 }, () => 'NOT_COORDINATOR_FOR_GROUP')
    const { admin } = adminThatMeets(never, { askMs: 600 })
    await expect(admin.members('g')).rejects.toMatchObject({
      kind: 'retriable',
      message: expect.stringContaining('describe group g: '),
    })
  })

  it('is asked once when asking again changes nothing', async () => {
    const { admin, asked } = adminThatMeets(['GROUP_AUTHORIZATION_FAILED'])
    await expect(admin.members('g')).rejects.toMatchObject({ kind: 'fatal' })
    expect(asked()).toBe(1)
  })
})
