import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { schemaIds } from './avro-types.ts'
import { encodeCommandRecord, encodeEngineOutput, encodeLogRecord, encodeUserRecord } from './codec.ts'
import { encodeBridgeFrame, encodeEngineFrame } from './frames.ts'
import {
  bridgeFrames,
  commandRecords,
  engineFrames,
  engineOutputs,
  logRecords,
  userRecords,
} from './golden-examples.ts'
import { standaloneSchema } from './standalone.ts'

/** A file of `schemas/golden/`: what it is called, and what stands in it. */
export type GoldenFile = { readonly name: string; readonly content: Buffer }

/** Any value as JSON that loses nothing: integers as strings, bytes in hexadecimal. */
export const plain = (value: unknown): unknown => {
  if (typeof value === 'bigint') return value.toString()
  if (Buffer.isBuffer(value)) return value.toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]))
}

const json = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value, null, 2)}\n`)
const pair = (name: string, value: unknown, bytes: Buffer): GoldenFile[] => [
  { name: `${name}.json`, content: json(plain(value)) },
  { name: `${name}.bin`, content: bytes },
]
/** A message's three frames: apart in the JSON, one after the other in the bytes. */
const message = (name: string, value: object, frames: readonly Buffer[]): GoldenFile[] =>
  pair(`frame.${name}`, { ...value, frames }, Buffer.concat(frames))

/** Every golden file as today's code would write it. */
export const goldenFiles = (): GoldenFile[] => [
  ...Object.entries(engineOutputs).flatMap(([name, each]) => pair(`output.${name}`, each, encodeEngineOutput(each))),
  ...Object.entries(logRecords).flatMap(([name, each]) => pair(`log.${name}`, each, encodeLogRecord(each))),
  ...Object.entries(userRecords).flatMap(([name, each]) => pair(`user.${name}`, each, encodeUserRecord(each))),
  ...Object.entries(commandRecords).flatMap(([name, each]) => pair(`command.${name}`, each, encodeCommandRecord(each))),
  ...Object.entries(engineFrames).flatMap(([name, each]) => message(name, each, encodeEngineFrame(each))),
  ...Object.entries(bridgeFrames).flatMap(([name, each]) => message(name, each, encodeBridgeFrame(each))),
  ...Object.entries(schemaIds).map(([name, id]) => ({
    name: `schema.${id}.avsc`,
    content: json(standaloneSchema(name)),
  })),
]

export const goldenFolder = new URL('./golden/', import.meta.url)

/** Writes the golden files that are missing. One that is there stays: what was written once must decode for ever. */
const writeMissing = (): number => {
  mkdirSync(goldenFolder, { recursive: true })
  const differing: string[] = []
  let written = 0
  for (const { name, content } of goldenFiles()) {
    const file = new URL(name, goldenFolder)
    if (!existsSync(file)) {
      writeFileSync(file, content)
      written++
    } else if (!readFileSync(file).equals(content)) differing.push(name)
  }
  console.log(`${written} golden files written`)
  if (differing.length === 0) return 0
  console.error(
    `refused to overwrite ${differing.join(', ')}: the code no longer gives these bytes. Records like them stand in ` +
      'logs. Give a changed schema a new name and id, and a changed example a new name.',
  )
  return 1
}

if (import.meta.main) process.exitCode = writeMissing()
