import { SetupError } from '../../local/stack.ts'
import { PipelineError } from '../pipeline/pipeline-error.ts'
import { runDemo } from './demo.ts'
import { DemoSettingsError } from './settings.ts'

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())

try {
  process.exitCode = await runDemo({ env: process.env, signal: stopping.signal })
} catch (error) {
  const isExpected = error instanceof SetupError || error instanceof PipelineError
  if (stopping.signal.aborted) {
    process.stderr.write('demo: interrupted; the servers that it started stay up until `make down`\n')
    process.exitCode = 130
  } else if (error instanceof DemoSettingsError) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 2
  } else {
    process.stderr.write(`demo: ${isExpected ? error.message : String(error instanceof Error ? error.stack : error)}\n`)
    process.exitCode = isExpected ? error.exitCode : 1
  }
}
// Sockets of clients in the middle of a retry may hold the process; everything has been said.
setTimeout(() => process.exit(), 2000).unref()
