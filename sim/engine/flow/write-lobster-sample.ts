import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { lobsterSample } from './lobster-sample.ts'

/** `node sim/engine/flow/write-lobster-sample.ts <file> <messages> <seed>`: a flow file to try the engine with. */
const [file, messages = '20000', seed = '1'] = process.argv.slice(2)

function* lines(): Generator<string> {
  for (const line of lobsterSample({ seed: BigInt(seed), messages: Number(messages) })) yield `${line}\n`
}

if (file === undefined || !/^\d{1,9}$/.test(messages) || !/^\d{1,18}$/.test(seed)) {
  process.stderr.write('usage: write-lobster-sample <file> [messages] [seed]\n')
  process.exitCode = 2
} else await pipeline(Readable.from(lines()), createWriteStream(file))
