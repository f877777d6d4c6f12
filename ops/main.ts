#!/usr/bin/env node
import { systemClock } from '../runtime/clock.ts'
import { runCommandLine } from './command-line.ts'
import { liveLine } from './live-line.ts'

const exitCode = await runCommandLine({
  args: process.argv.slice(2),
  env: process.env,
  clock: systemClock,
  out: text => void process.stdout.write(`${text}\n`),
  live: liveLine(process.stderr),
  err: text => void process.stderr.write(`${text}\n`),
})
// Sockets of clients in the middle of a retry would hold the process; everything is closed and has been said.
process.exit(exitCode)
