import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { goldenFolder } from './golden.ts'
import { standaloneSchema } from './standalone.ts'

// docs/protocol.md is all that an engine's author has: what it shows must be what the code reads and writes.
const page = readFileSync(new URL('../docs/protocol.md', import.meta.url), 'utf8')
const blocks = [...page.matchAll(/^```golden (\S+)\n(.*?)^```$/gms)].map(
  ([, name, text]) => [name as string, text as string] as const,
)
/** The bytes of a dump: what stands left of the remarks. */
const bytesOf = (text: string): string =>
  text
    .split('\n')
    .map(line => line.replace(/ ;.*/, ''))
    .join(' ')
    .trim()
    .replace(/\s+/g, ' ')
const golden = (name: string): string =>
  readFileSync(new URL(`${name}.bin`, goldenFolder))
    .toString('hex')
    .replace(/(..)(?=.)/g, '$1 ')

test.each(blocks)('the page shows %s as it is', (name, text) => {
  expect(bytesOf(text)).toBe(golden(name))
})

test('the page shows every golden frame', () => {
  const frames = readdirSync(goldenFolder).filter(name => /^frame\..*\.bin$/.test(name))
  expect(blocks.map(([name]) => `${name}.bin`).sort()).toEqual(frames.sort())
})

test('the schema on the page is the schema of the payload', () => {
  const [, text] = /^```json avro settle\.EngineOutput\n(.*?)^```$/ms.exec(page) ?? []
  expect(JSON.parse(text ?? '')).toEqual(standaloneSchema('settle.EngineOutput'))
})
