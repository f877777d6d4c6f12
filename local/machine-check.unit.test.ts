import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findJava, javaMajor, requireLinux, requireMaven, requireMemory } from './machine-check.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'settle-machine-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function javaHome(versionLine: string): string {
  mkdirSync(join(dir, 'bin'))
  const file = join(dir, 'bin', 'java')
  writeFileSync(file, `#!/bin/sh\necho '${versionLine}' >&2\n`)
  chmodSync(file, 0o755)
  return dir
}

test('the version of Java is read in its old and its new form', () => {
  expect(javaMajor('openjdk version "17.0.15" 2025-04-15')).toBe(17)
  expect(javaMajor('java version "1.8.0_292"')).toBe(8)
  expect(javaMajor('openjdk version "21" 2023-09-19')).toBe(21)
  expect(javaMajor('command not found')).toBeUndefined()
})

test('a Java that fits is found in JAVA_HOME', async () => {
  const home = javaHome('openjdk version "17.0.1"')
  expect(await findJava({ JAVA_HOME: home, PATH: process.env['PATH'] })).toEqual({
    file: join(home, 'bin', 'java'),
    major: 17,
  })
})

test.each([
  ['openjdk version "11.0.2"', 'is Java 11, 17 is needed'],
  ['openjdk version "24"', 'is Java 24, on which Cassandra 5.0 does not run'],
  ['what?', 'does not tell its version'],
])('%s is refused with the way out', async (line, message) => {
  const found = findJava({ JAVA_HOME: javaHome(line), PATH: process.env['PATH'] })
  await expect(found).rejects.toThrow(message)
  await expect(found).rejects.toThrow('install Java 17')
  await expect(found).rejects.toMatchObject({ exitCode: 2 })
})

test('missing Java, Maven, memory and Linux are each one line', async () => {
  await expect(findJava({ PATH: dir })).rejects.toThrow(/^Java does not run \(java\): install Java 17.*STACK=docker\.$/)
  await expect(requireMaven({ PATH: dir })).rejects.toThrow(/^Maven does not run.*install it/)
  expect(() => requireMemory(1_500, 1_499.9)).toThrow(/need 1500 MB, 1499 MB are available/)
  expect(() => requireMemory(1_500, 1_500)).not.toThrow()
  expect(() => requireLinux('darwin')).toThrow(/this is darwin.*STACK=docker/)
})
