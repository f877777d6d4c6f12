import { expect, it } from 'vitest'
import { within } from './within.ts'

it('what is done in time comes back, and what failed fails as it did', async () => {
  expect(await within(1000, 'do it', Promise.resolve(7))).toBe(7)
  await expect(within(1000, 'do it', Promise.reject(new Error('no')))).rejects.toThrow('no')
})

it('what hangs is given up, by name; its later failure disturbs nobody', async () => {
  const late = Promise.withResolvers<never>()
  await expect(within(5, 'do it', late.promise)).rejects.toMatchObject({
    kind: 'retriable',
    message: 'do it: not done within 5 ms',
  })
  late.reject(new Error('nobody listens'))
})
