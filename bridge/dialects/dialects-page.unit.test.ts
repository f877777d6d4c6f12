import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { bridgeFrames, engineFrames } from '../../schemas/golden-examples.ts'
import { dialects } from './dialects.ts'

// docs/dialects.md is all that the author of a JSON engine has: what it shows must be what the code reads and writes.
const page = readFileSync(new URL('../../docs/dialects.md', import.meta.url), 'utf8')
const blocks = [...page.matchAll(/^```json-dialect (\S+)\n(.*?)\n```$/gms)].map(([, name, text]) => {
  const [kind = '', header = '', payload = ''] = (text as string).split('\n')
  return [name as string, [kind, header, payload].map(frame => Buffer.from(frame))] as const
})

test.each(blocks.filter(([name]) => name in engineFrames))('the page shows %s as it is read', (name, frames) => {
  expect(dialects.json.decode(frames)).toEqual(engineFrames[name])
})

test.each(blocks.filter(([name]) => name in bridgeFrames))('the page shows %s as it is written', (name, frames) => {
  const frame = bridgeFrames[name]
  expect(frame && dialects.json.encode(frame).map(String)).toEqual(frames.map(String))
})

test('the page shows a message of each kind, and names each dialect', () => {
  const shown = blocks.map(([name]) => name)
  const examples = [...Object.keys(engineFrames).filter(name => name !== 'OUT'), ...Object.keys(bridgeFrames)]
  expect(shown.sort()).toEqual(examples.sort())
  for (const name of Object.keys(dialects)) expect(page).toContain(`| \`${name}\` |`)
})
