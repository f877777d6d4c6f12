import { expect, it } from 'vitest'
import { exitCodes, refuse, Stop } from './stop.ts'

it('a stop tells its code, its reason and what it is about', () => {
  const cause = new Error('below')
  const stop = new Stop({ code: 'disk-full', reason: 'failed', message: 'no room', context: { path: '/a' }, cause })
  expect(stop).toMatchObject({ name: 'Stop', code: 'disk-full', reason: 'failed', message: 'no room', cause })
  expect(stop.context).toEqual({ path: '/a' })
  expect(new Stop({ code: 'a', reason: 'usage', message: 'b' }).context).toEqual({})
  expect(new Stop({ code: 'a', reason: 'usage', message: 'b' })).not.toHaveProperty('cause')
})

it('a refusal is a stop that a restart does not mend', () => {
  expect(refuse('log-order', 'n is 3 after 1', { n: 3n })).toMatchObject({
    code: 'log-order',
    reason: 'refused',
    context: { n: 3n },
  })
})

it('every reason has an exit code of its own, for whoever restarts processes', () => {
  expect(exitCodes).toEqual({ done: 0, failed: 1, usage: 2, refused: 3 })
})
