import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { compareFiles } from './same-files.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'settle-same-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const folder = (name: string, files: Readonly<Record<string, string>>): string => {
  const dir = join(root, name)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  return dir
}

it('has nothing against the same bytes under the same names, whatever is unfinished', async () => {
  const one = folder('one', { 'a/1.csv': 'x\r\n', 'b/1.csv': 'y\r\n', 'b/2.csv.archive-1-0a.part': 'z' })
  const other = folder('other', { 'a/1.csv': 'x\r\n', 'b/1.csv': 'y\r\n' })
  expect(await compareFiles(one, other)).toEqual({ files: 2, differences: [] })
})

it('names what only one has, on either side, and what differs in one byte', async () => {
  const one = folder('one', { 'a/1.csv': 'x\r\n', 'b/1.csv': 'y\r\n' })
  const other = folder('other', { 'b/1.csv': 'z\r\n', 'c/1.csv': 'x\r\n' })
  const { files, differences } = await compareFiles(one, other)
  expect(files).toBe(3)
  expect(differences).toEqual([
    `a/1.csv is not in ${other}`,
    expect.stringMatching(/^b\/1\.csv is [0-9a-f]{64} in .*one, [0-9a-f]{64} in .*other$/),
    `c/1.csv is not in ${one}`,
  ])
})
