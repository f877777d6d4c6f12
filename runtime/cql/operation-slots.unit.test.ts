import { createRequire } from 'node:module'
import { Client } from 'cassandra-driver'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OperationSlots, useOperationSlots } from './operation-slots.ts'

test('they hold what a Map would', () => {
  const step = fc.tuple(fc.constantFrom('set', 'delete'), fc.nat({ max: 9 }), fc.nat())
  fc.assert(
    fc.property(fc.array(step), steps => {
      const [slots, map] = [new OperationSlots<number>(), new Map<number, number>()]
      for (const [kind, streamId, operation] of steps) {
        for (const each of [slots, map])
          if (kind === 'set') each.set(streamId, operation)
          else each.delete(streamId)
        expect(slots.get(streamId)).toBe(map.get(streamId))
      }
      expect([...slots.values()]).toEqual([...map].sort(([a], [b]) => a - b).map(([, value]) => value))
    }),
  )
})

test('a connection of the driver keeps its requests in them', () => {
  useOperationSlots()
  type Driver = new (endpoint: string, version: number, options: object) => { readonly _operations: unknown }
  const Connection = createRequire(import.meta.url)('cassandra-driver/lib/connection.js') as Driver
  const client = new Client({ contactPoints: ['127.0.0.1'], localDataCenter: 'dc' })
  const { options } = client as unknown as { readonly options: object }
  expect(new Connection('127.0.0.1:9042', 4, options)._operations).toBeInstanceOf(OperationSlots)
})
