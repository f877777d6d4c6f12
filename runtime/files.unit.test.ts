import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fileStop, nodeFiles } from './files.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'settle-files-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const put = async (path: string, ...pieces: string[]): Promise<void> => {
  const file = await nodeFiles.create(path)
  for (const piece of pieces) await file.write(Buffer.from(piece))
  await file.sync()
  await file.close()
}

test('what is written piece by piece is read back, whole and in chunks', async () => {
  const path = join(dir, 'a')
  await put(path, 'one,', 'two')
  expect((await nodeFiles.read(path))?.toString()).toBe('one,two')
  const chunks: Buffer[] = []
  for await (const chunk of nodeFiles.chunks(path)) chunks.push(chunk)
  expect(Buffer.concat(chunks).toString()).toBe('one,two')
})

test('a rename takes the place of what was there, and lists are sorted', async () => {
  await put(join(dir, 'b'), 'old')
  await put(join(dir, 'c.part'), 'new')
  await put(join(dir, 'a'), '')
  await nodeFiles.rename(join(dir, 'c.part'), join(dir, 'b'))
  await nodeFiles.syncFolder(dir)
  expect(await nodeFiles.list(dir)).toEqual(['a', 'b'])
  expect((await nodeFiles.read(join(dir, 'b')))?.toString()).toBe('new')
})

test('making a folder that is there and removing a file that is not are nothing', async () => {
  await nodeFiles.makeFolder(join(dir, 'f'))
  await nodeFiles.makeFolder(join(dir, 'f'))
  await nodeFiles.remove(join(dir, 'missing'))
  expect(await nodeFiles.list(dir)).toEqual(['f'])
})

test('what is missing is null to read and list', async () => {
  expect(await nodeFiles.read(join(dir, 'missing'))).toBeNull()
  expect(await nodeFiles.list(join(dir, 'missing'))).toBeNull()
})

describe('a failure names the path and the way out', () => {
  test('a folder that is not there', async () => {
    const path = join(dir, 'missing', 'a')
    await expect(nodeFiles.create(path)).rejects.toMatchObject({ code: 'file-missing', context: { path } })
    await expect(nodeFiles.makeFolder(path)).rejects.toMatchObject({ code: 'file-missing' })
    await expect(nodeFiles.syncFolder(path)).rejects.toMatchObject({ code: 'file-missing' })
    await expect(nodeFiles.rename(path, join(dir, 'b'))).rejects.toMatchObject({ code: 'file-missing' })
    await expect(nodeFiles.chunks(path)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'file-missing' })
  })
  test('a file that is there already', async () => {
    await put(join(dir, 'a'), 'x')
    await expect(nodeFiles.create(join(dir, 'a'))).rejects.toMatchObject({ code: 'disk-failed' })
  })
  test.each([
    ['ENOSPC', 'disk-full', 'failed', /no space left; make room/],
    ['EDQUOT', 'disk-full', 'failed', /no space/],
    ['EROFS', 'disk-read-only', 'usage', /mount it writable/],
    ['EACCES', 'disk-denied', 'usage', /not permitted/],
    ['EMFILE', 'too-many-files', 'failed', /raise the limit/],
    ['EIO', 'disk-failed', 'failed', /refused \(EIO\)/],
  ])('%s is %s', (errno, code, reason, message) => {
    const stop = fileStop('write', '/a/b', Object.assign(new Error('x'), { code: errno }))
    expect(stop).toMatchObject({ code, reason, context: { path: '/a/b', errno } })
    expect(stop.message).toMatch(/^can't write \/a\/b: /)
    expect(stop.message).toMatch(message)
  })
})
