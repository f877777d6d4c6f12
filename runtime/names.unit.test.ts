import { describe, expect, it } from 'vitest'
import { namesOf, streamName } from './names.ts'

describe('what a stream owns', () => {
  const texts = (value: unknown): string[] =>
    typeof value === 'string' ? [value] : Object.values(value as Record<string, unknown>).flatMap(texts)

  it('begins with its name, so that two streams never share anything', () => {
    for (const text of texts(namesOf('demo'))) expect(text).toMatch(/^demo(\.|$)/)
    const others = new Set(texts(namesOf('demo_2')))
    expect(texts(namesOf('demo')).filter(text => others.has(text))).toEqual([])
  })

  it('has a name of its own for each thing of a kind', () => {
    const { topics, groups, transactionalIds } = namesOf('demo')
    for (const kind of [topics, groups, transactionalIds])
      expect(new Set(Object.values(kind)).size).toBe(Object.values(kind).length)
  })

  it('is found by other programs under these names', () => {
    expect(namesOf('demo')).toMatchObject({
      topics: {
        log: 'demo.engine.outputs',
        users: 'demo.user.outputs',
        commands: 'demo.operator.commands',
        clock: 'demo.clock',
      },
      keyspace: 'demo',
      database: 'demo',
    })
  })
})

describe('a stream’s name', () => {
  it.each(['a', 'demo', 'spot_1', `a${'b'.repeat(30)}`])('%j is one', name => {
    expect(streamName.safeParse(name).success).toBe(true)
  })
  it.each(['', 'Demo', '1st', '_a', 'a-b', 'a.b', 'a b', `a${'b'.repeat(31)}`, 'a\n'])('%j is none', name => {
    expect(streamName.safeParse(name).success).toBe(false)
  })
})
