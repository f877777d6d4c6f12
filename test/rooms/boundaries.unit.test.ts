import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const rooms = [
  'core',
  'schemas',
  'runtime',
  'bridge',
  'processor/repartition',
  'processor/settle',
  'sink-starrocks/load',
  'sink-starrocks/archive',
  'ops',
  'sim/engine',
  'sim/pipeline',
  'sim/demo',
  'sim/world',
  'local',
  'bench',
] as const
type Room = (typeof rooms)[number]

const inner: readonly Room[] = ['core', 'schemas', 'runtime']
const allowed: Readonly<Record<Room, readonly Room[]>> = {
  core: [],
  schemas: ['core'],
  runtime: ['core', 'schemas'],
  bridge: inner,
  'processor/repartition': inner,
  'processor/settle': inner,
  'sink-starrocks/load': inner,
  'sink-starrocks/archive': inner,
  ops: inner,
  'sim/engine': ['schemas'],
  'sim/pipeline': [],
  'sim/demo': ['schemas', 'runtime', 'sim/pipeline', 'local'],
  'sim/world': [...inner, 'bridge', 'processor/repartition', 'processor/settle', 'ops', 'sim/engine'],
  local: [],
  bench: rooms,
}

const repository = join(import.meta.dirname, '../..')
let house: string

/** A house of empty rooms under the real rules, with one import from room to room. */
beforeAll(() => {
  house = mkdtempSync(join(tmpdir(), 'settle-rooms-'))
  cpSync(join(repository, '.oxlintrc.json'), join(house, '.oxlintrc.json'))
  symlinkSync(join(repository, 'node_modules'), join(house, 'node_modules'))
  for (const from of rooms)
    for (const to of rooms) {
      if (from === to) continue
      const file = join(house, from, `to-${to.replace('/', '-')}.ts`)
      mkdirSync(dirname(file), { recursive: true })
      const target = relative(dirname(file), join(house, to, 'thing.ts'))
      writeFileSync(file, `import { thing } from '${target}'\n\nexport const used = thing\n`)
    }
})
afterAll(() => rmSync(house, { recursive: true, force: true }))

const refusedFiles = (): ReadonlySet<string> => {
  const oxlint = join(repository, 'node_modules/.bin/oxlint')
  const run = (): string => {
    try {
      return execFileSync(oxlint, ['--format', 'json', '.'], { cwd: house, encoding: 'utf8' })
    } catch (error) {
      return (error as { stdout: string }).stdout
    }
  }
  const { diagnostics } = JSON.parse(run()) as { diagnostics: { code: string; filename: string }[] }
  return new Set(diagnostics.filter(d => d.code.includes('no-restricted-imports')).map(d => d.filename))
}

describe('the rooms', () => {
  it('obey the import rules: each forbidden import is red, each allowed one is not', () => {
    const refused = refusedFiles()
    const wrong: string[] = []
    for (const from of rooms)
      for (const to of rooms) {
        if (from === to) continue
        const isRefused = refused.has(join(from, `to-${to.replace('/', '-')}.ts`))
        if (isRefused === allowed[from].includes(to))
          wrong.push(`${from} -> ${to}: ${isRefused ? 'refused' : 'let through'}`)
      }
    expect(wrong).toEqual([])
  })
})
