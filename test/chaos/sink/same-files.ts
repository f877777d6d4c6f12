import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'

export type SameFiles = {
  readonly files: number
  /** One per file that is not in both folders, byte for byte. */
  readonly differences: readonly string[]
}

/** Compares the finished files of two archives; what is unfinished in either is nobody's word. */
export const compareFiles = async (one: string, other: string): Promise<SameFiles> => {
  const [ours, theirs] = await Promise.all([digestsIn(one), digestsIn(other)])
  const names = [...new Set([...ours.keys(), ...theirs.keys()])].sort()
  const differences = names.flatMap(name => {
    const [a, b] = [ours.get(name), theirs.get(name)]
    if (a === b) return []
    if (a === undefined) return [`${name} is not in ${one}`]
    return b === undefined ? [`${name} is not in ${other}`] : [`${name} is ${a} in ${one}, ${b} in ${other}`]
  })
  return { files: names.length, differences }
}

const digestsIn = async (dir: string): Promise<ReadonlyMap<string, string>> => {
  const digests = new Map<string, string>()
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith('.part')) continue
    const path = join(entry.parentPath, entry.name)
    const hash = createHash('sha256')
    await pipeline(createReadStream(path), hash)
    digests.set(relative(dir, path), hash.digest('hex'))
  }
  return digests
}
