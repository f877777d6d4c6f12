import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { schemaIds } from './avro-types.ts'
import { nextChain, zeroChain } from './chain.ts'
import {
  decodeCommandRecord,
  decodeEngineOutput,
  decodeLogRecord,
  decodeUserRecord,
  encodeCommandRecord,
  encodeEngineOutput,
  encodeLogRecord,
  encodeUserRecord,
} from './codec.ts'
import {
  type BridgeFrame,
  decodeBridgeFrame,
  decodeEngineFrame,
  type EngineFrame,
  encodeBridgeFrame,
  encodeEngineFrame,
} from './frames.ts'
import { goldenFiles, goldenFolder, plain } from './golden.ts'
import { standaloneSchema } from './standalone.ts'

const names = readdirSync(goldenFolder).sort()
const bytesOf = (name: string): Buffer => readFileSync(new URL(name, goldenFolder))
const jsonOf = (name: string): unknown => JSON.parse(bytesOf(name).toString('utf8'))
const stems = names.filter(name => name.endsWith('.bin')).map(name => name.slice(0, -'.bin'.length))
const of = (prefix: string): string[] => stems.filter(stem => stem.startsWith(prefix))

type Codec = {
  readonly prefix: string
  readonly decode: (bytes: Buffer) => unknown
  readonly encode: (value: never) => Buffer
}
const codecs: Codec[] = [
  { prefix: 'output.', decode: decodeEngineOutput, encode: encodeEngineOutput },
  { prefix: 'log.', decode: decodeLogRecord, encode: encodeLogRecord },
  { prefix: 'user.', decode: decodeUserRecord, encode: encodeUserRecord },
  { prefix: 'command.', decode: decodeCommandRecord, encode: encodeCommandRecord },
]

test.each(codecs.flatMap(codec => of(codec.prefix).map(stem => [stem, codec] as const)))(
  '%s decodes to what it says and encodes to its bytes',
  (stem, { decode, encode }) => {
    const bytes = bytesOf(`${stem}.bin`)
    const value = decode(bytes)
    expect(plain(value)).toEqual(jsonOf(`${stem}.json`))
    expect(encode(value as never).toString('hex')).toBe(bytes.toString('hex'))
  },
)

test.each(of('frame.'))('%s decodes to what it says and encodes to its frames', stem => {
  const { frames, ...said } = jsonOf(`${stem}.json`) as { frames: string[]; kind: string }
  const buffers = frames.map(frame => Buffer.from(frame, 'hex'))
  expect(Buffer.concat(buffers)).toEqual(bytesOf(`${stem}.bin`))
  const fromBridge = said.kind === 'REPLAY' || said.kind === 'ACK'
  const decoded = fromBridge ? decodeBridgeFrame(buffers) : decodeEngineFrame(buffers)
  expect(plain(decoded)).toEqual(said)
  const again = fromBridge ? encodeBridgeFrame(decoded as BridgeFrame) : encodeEngineFrame(decoded as EngineFrame)
  expect(again).toEqual(buffers)
})

test('the golden outputs stand in one chain', () => {
  const frames = ['OUT.reference', 'OUT.deposit', 'OUT'].map(name => {
    const { frames: hex } = jsonOf(`frame.${name}.json`) as { frames: string[] }
    return decodeEngineFrame(hex.map(each => Buffer.from(each, 'hex')))
  })
  const chain = frames.reduce((previous, frame) => {
    const next = nextChain(previous, frame.kind === 'OUT' ? frame.payload : Buffer.alloc(0))
    expect(frame.at.chain).toEqual(next)
    return next
  }, zeroChain)
  expect(chain.toString('hex')).toBe((jsonOf('frame.HBT.json') as { at: { chain: string } }).at.chain)
})

test('there is a golden file for every record kind and every kind of frame', () => {
  const pinned = Object.keys(schemaIds).map(name => name.split('.').slice(1).join('.'))
  for (const kind of pinned.filter(name => name !== 'EngineOutput')) expect(stems).toContain(kind)
  for (const kind of ['OUT', 'HBT', 'EOS', 'END.live', 'END.over', 'TRIMMED', 'REPLAY', 'ACK'])
    expect(stems).toContain(`frame.${kind}`)
})

const withoutDocs = (schema: unknown): unknown =>
  JSON.parse(JSON.stringify(schema, (key, value: unknown) => (key === 'doc' ? undefined : value)))

test.each(Object.entries(schemaIds))('%s is what was pinned under id %i', (name, id) => {
  expect(withoutDocs(standaloneSchema(name))).toEqual(withoutDocs(jsonOf(`schema.${id}.avsc`)))
})

test('no id is given twice', () => {
  expect(new Set(Object.values(schemaIds)).size).toBe(Object.keys(schemaIds).length)
})

test('the script writes what stands there', () => {
  const files = goldenFiles()
  expect(files.map(file => file.name).sort()).toEqual(names)
  for (const { name, content } of files.filter(file => file.name.endsWith('.bin')))
    expect(content).toEqual(bytesOf(name))
})
