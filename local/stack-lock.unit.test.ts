import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { lockStack } from './stack-lock.ts'

test('one command at a time works on a folder, and another folder is free', async () => {
  const dir = `/tmp/${randomUUID()}`
  const first = await lockStack(dir, { waitMs: 0 })
  await expect(lockStack(dir, { waitMs: 0 })).rejects.toThrow(`Another command still works on the stack in ${dir}`)
  await (await lockStack(`${dir}-other`, { waitMs: 0 }))[Symbol.asyncDispose]()

  const second = lockStack(dir, { waitMs: 10_000 })
  await first[Symbol.asyncDispose]()
  await (await second)[Symbol.asyncDispose]()
})
