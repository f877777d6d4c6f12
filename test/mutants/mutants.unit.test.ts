import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { bridgeMutants } from './bridge.ts'
import { mutated } from './check-list.ts'
import { kafkaMutants } from './kafka.ts'
import { settleMutants } from './settle.ts'

const root = resolve(import.meta.dirname, '../..')
const mutants = [...bridgeMutants, ...kafkaMutants, ...settleMutants]

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
