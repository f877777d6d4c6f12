import { createRequire } from 'node:module'
import { Client } from 'cassandra-driver'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { byRuns, type GetPreparedMultiple, usePreparedRuns } from './prepared-runs.ts'

const { getPreparedMultiple: byDriver } = createRequire(import.meta.url)('cassandra-driver/lib/prepare-handler.js') as {
  readonly getPreparedMultiple: GetPreparedMultiple
}

/** A client that has every text prepared, and counts how often it is asked. */
const knowing = () => {
  const asked: string[] = []
  const getPreparedInfo = (keyspace: string, query: string) => {
    asked.push(query)
    const columns = [{ name: 'a' }, { name: 'b' }]
    return { queryId: Buffer.from(keyspace + query), meta: { columns } }
  }
  return { client: { metadata: { getPreparedInfo } }, asked }
}

const params = fc.oneof(fc.tuple(fc.nat(), fc.nat()), fc.record({ b: fc.nat(), a: fc.nat() }))
const item = fc.record({ query: fc.constantFrom('one', 'two', 'three'), params })

test('statements are prepared as the driver does it', async () => {
  const given = fc.array(item, { maxLength: 12 }) as fc.Arbitrary<Parameters<GetPreparedMultiple>[2]>
  await fc.assert(
    fc.asyncProperty(given, async items => {
      const prepare = (by: GetPreparedMultiple) => by(knowing().client, {}, items, 'exchange')
      expect(await prepare(byRuns(byDriver))).toEqual(await prepare(byDriver))
    }),
  )
})

test('a text is asked for once where several in a row have it', async () => {
  const { client, asked } = knowing()
  const items = ['one', 'one', 'one', 'two', 'two', 'one'].map((query, at) => ({ query, params: [at, at] }))
  const all = await byRuns(byDriver)(client, {}, items, 'exchange')
  expect(asked).toEqual(['one', 'two', 'one'])
  expect(all.map(each => each.params[0])).toEqual([0, 1, 2, 3, 4, 5])
})

test('whatever can not be prepared fails all of them', async () => {
  const client = { metadata: { getPreparedInfo: () => ({ preparing: false }) }, options: {} }
  await expect(byRuns(byDriver)(client, {}, [{ query: 'one', params: [] }], 'exchange')).rejects.toThrow()
})

test('a client of the driver does so', async () => {
  usePreparedRuns()
  const { client, asked } = knowing()
  const created: unknown[] = []
  const real = Object.assign(new Client({ contactPoints: ['127.0.0.1'], localDataCenter: 'dc' }), client, {
    _connect: () => Promise.resolve(),
    controlConnection: { protocolVersion: 4 },
    _createBatchRequest: (items: readonly unknown[]) => {
      created.push(...items)
      return Promise.reject(new Error('far enough'))
    },
  })
  const items = [1, 2, 3].map(at => ({ query: 'one', params: [at] }))
  await expect(real.batch(items, { prepare: true })).rejects.toThrow('far enough')
  expect(created).toHaveLength(3)
  expect(asked).toEqual(['one'])
})
