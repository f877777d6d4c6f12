import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { bridgeMutants } from './bridge.ts'
import { mutated } from './check-list.ts'
import { kafkaMutants } from './kafka.ts'
import { settleMutants } from './settle.ts'
import { viewMutants } from './views.ts'

const root = resolve(import.meta.dirname, '../..')
const mutants = [...bridgeMutants, ...kafkaMutants, ...settleMutants, ...viewMutants]

describe('each mutant', () => {
  it.each(mutants)('fits: $name', mutant => {
    const { file, find, replace, caughtBy } = mutant
    expect(mutated(readFileSync(join(root, file), 'utf8'), mutant)).not.toBeNull()
    expect(replace).not.toBe(find)
    expect(existsSync(join(root, caughtBy.file))).toBe(true)
  })

  it('has a name of its own', () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  })
})

it('each rule of the contract from the log to the store is broken by one', () => {
  const [, after = ''] = readFileSync(join(root, 'docs/design.md'), 'utf8').split('\n## repartition\n')
  const [, settle = ''] = after.split('\n## settle\n')
  const [numbered = ''] = settle.split('\n## ')
  const rules = [...numbered.matchAll(/^(\d+)\. /gm)].map(([, number]) => `settle ${number}`)
  expect(rules.length).toBeGreaterThan(5)
  const broken = new Set(settleMutants.map(({ rule }) => rule))
  expect([...broken].sort()).toEqual(['repartition', 'Readers of user.outputs', ...rules].sort())
})
