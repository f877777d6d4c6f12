import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { kafkaMutants } from './kafka.ts'

const root = resolve(import.meta.dirname, '../..')

describe('each mutant of Kafka', () => {
  it.each(kafkaMutants)('$name', ({ file, find, replace, caughtBy }) => {
    expect(readFileSync(join(root, file), 'utf8').split(find)).toHaveLength(2)
    expect(replace).not.toBe(find)
    expect(existsSync(join(root, caughtBy.file))).toBe(true)
  })

  it('has a name of its own', () => {
    expect(new Set(kafkaMutants.map(({ name }) => name)).size).toBe(kafkaMutants.length)
  })
})
