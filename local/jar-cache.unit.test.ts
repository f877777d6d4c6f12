import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isCached, jarFolder, jars, type RunMaven } from './jar-cache.ts'

const set = { name: 'demo', usualDownloads: 4 }
let dir: string
let options: { cacheDir: string; pomDir: string }
let runs: number
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'settle-jars-'))
  options = { cacheDir: join(dir, 'cache'), pomDir: dir }
  writeFileSync(join(dir, 'demo.pom.xml'), '<project/>')
  runs = 0
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** Writes some jars as Maven would, then ends with `code`. */
function maven(names: readonly string[], code: number, said: readonly string[] = []): RunMaven {
  return async (args, onLine) => {
    runs++
    const folder = args.find(arg => arg.startsWith('-DoutputDirectory='))?.slice('-DoutputDirectory='.length) as string
    mkdirSync(folder, { recursive: true })
    for (const name of names) {
      writeFileSync(join(folder, name), name)
      onLine(`[INFO] Downloaded from central: ${name}`)
    }
    said.forEach(onLine)
    return code
  }
}

test('fetches once; the second run does not ask Maven', async () => {
  const seen: number[] = []
  const onProgress = (fraction: number) => void seen.push(fraction)
  const folder = await jars(set, { ...options, runMaven: maven(['a.jar', 'b.jar'], 0), onProgress })
  expect(readdirSync(folder)).toEqual(['a.jar', 'b.jar'])
  expect(seen).toEqual([0.25, 0.5])
  expect(await jars(set, { ...options, runMaven: maven([], 1) })).toBe(folder)
  expect(runs).toBe(1)
})

test('a failed fetch is tried again, leaves nothing behind, and says what Maven said', async () => {
  const failing = maven(['a.jar'], 1, ['[INFO] noise', '[ERROR] Could not resolve org.example:demo'])
  const fetch = jars(set, { ...options, runMaven: failing })
  await expect(fetch).rejects.toMatchObject({ exitCode: 1 })
  await expect(fetch).rejects.toThrow('Could not resolve org.example:demo')
  await expect(fetch).rejects.not.toThrow('noise')
  expect(runs).toBe(2)
  expect(isCached(set, options)).toBe(false)
  expect(readdirSync(join(options.cacheDir, 'jars'))).toEqual([])
})

test('a fetch that was killed half way is not taken for a whole one', async () => {
  const half = join(options.cacheDir, 'jars', '.demo-1-abc')
  mkdirSync(half, { recursive: true })
  writeFileSync(join(half, 'a.jar'), 'half')
  expect(isCached(set, options)).toBe(false)
  const folder = await jars(set, { ...options, runMaven: maven(['a.jar', 'b.jar'], 0) })
  expect(readdirSync(folder)).toEqual(['a.jar', 'b.jar'])
})

test('Maven ending well without a jar is a failure', async () => {
  await expect(jars(set, { ...options, runMaven: maven([], 0) })).rejects.toThrow('could not fetch the jars of demo')
})

test('of two fetches at once one wins, and both have all', async () => {
  const [one, two] = await Promise.all([
    jars(set, { ...options, runMaven: maven(['a.jar'], 0) }),
    jars(set, { ...options, runMaven: maven(['a.jar'], 0) }),
  ])
  expect(one).toBe(two)
  expect(readdirSync(join(options.cacheDir, 'jars'))).toHaveLength(1)
})

test('another pom is another folder', async () => {
  const before = await jars(set, { ...options, runMaven: maven(['a.jar'], 0) })
  writeFileSync(join(dir, 'demo.pom.xml'), '<project><!-- 2 --></project>')
  expect(jarFolder(set, options)).not.toBe(before)
  expect(existsSync(before)).toBe(true)
  expect(isCached(set, options)).toBe(false)
})
