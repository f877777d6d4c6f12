import { mkdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { showProgress } from '../local/progress.ts'
import { clean, SetupError, up } from '../local/stack.ts'
import { bridgePart } from './bridge/part.ts'
import { compileServices } from './compile-services.ts'
import { isMissed } from './figure.ts'
import { writePage } from './page/page.ts'
import type { Part } from './part.ts'
import { millionPart } from './settle/million-part.ts'
import { settlePart } from './settle/part.ts'
import { sinkPart } from './sink/part.ts'
import { outDir, tableOf, writeFigures } from './report.ts'

const parts: readonly Part[] = [bridgePart, settlePart, millionPart, sinkPart]
const clone = resolve(import.meta.dirname, '..')

class Interrupted extends Error {
  override readonly name = 'Interrupted'
}
const interrupted = Promise.withResolvers<never>()
interrupted.promise.catch(() => {})
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => interrupted.reject(new Interrupted(signal)))

/** Servers of its own, ended afterwards: nothing else may write to them while they are measured. */
const measure = async (part: Part): Promise<'met' | 'missed'> => {
  const env = { ...process.env, STACK: 'local', SETTLE_DATA: join(clone, '.data', 'bench') }
  try {
    await mkdir(outDir, { recursive: true })
    const stack = await up({ env, servers: part.servers, progress: showProgress() })
    const say = (line: string): void => void process.stderr.write(`${part.name}: ${line}\n`)
    const figures = await Promise.race([part.run({ stack, env, scale, say }), interrupted.promise])
    process.stdout.write(`${tableOf(figures)}\n`)
    // What was only tried is kept nowhere.
    if (scale === 1) {
      const path = await writeFigures(part.name, figures)
      await writePage()
      process.stdout.write(`How each was taken: ${relative(clone, path)}\n`)
    }
    return figures.some(isMissed) ? 'missed' : 'met'
  } finally {
    await clean({ env })
  }
}

const chosen = process.env['PART'] || undefined
const scale = Number(process.env['SCALE'] || 1)
const wanted = parts.filter(({ name }) => chosen === undefined || name === chosen)
if (wanted.length === 0) {
  process.stderr.write(`PART=${chosen}: there is no such part; there is ${parts.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}
if (!(scale > 0 && scale <= 1) || (scale < 1 && wanted.some(({ sizes }) => sizes === 'one'))) {
  const scalable = parts.filter(({ sizes }) => sizes === 'any').map(({ name }) => `PART=${name}`)
  process.stderr.write(
    `SCALE=${process.env['SCALE']}: more than 0, up to 1, below 1 only with ${scalable.join(', ')}\n`,
  )
  process.exit(2)
}
try {
  compileServices()
  const outcomes = []
  for (const part of wanted) outcomes.push(await measure(part))
  process.exitCode = outcomes.includes('missed') ? 1 : 0
} catch (error) {
  const isExpected = error instanceof SetupError || error instanceof Interrupted
  process.stderr.write(`bench: ${isExpected ? error.message : String(error instanceof Error ? error.stack : error)}\n`)
  process.exitCode = error instanceof SetupError ? error.exitCode : error instanceof Interrupted ? 130 : 1
}
// Sockets of clients in the middle of a retry may hold the process; everything has been said.
setTimeout(() => process.exit(), 2000).unref()
