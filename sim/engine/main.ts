import { destination, pino } from 'pino'
import { EngineService, type Report } from './engine-service.ts'
import { FolderInUse, lockFolder } from './folder-lock.ts'
import { FlowFileError } from './flow/lobster-message.ts'
import { openFlow } from './open-flow.ts'
import { keepIdentity } from './identity.ts'
import { JournalError } from './journal/journal-error.ts'
import { JournalMismatch } from './producer.ts'
import { AddressError } from './protocol/address.ts'
import { type EngineSettings, readSettings, SettingsError } from './settings.ts'

/** 2: the caller must change settings or input; 3: the data folder; 4: the addresses; 1: anything else. */
const exitCodeOf = (error: unknown): number => {
  if (error instanceof SettingsError || error instanceof FlowFileError) return 2
  if (error instanceof FolderInUse || error instanceof JournalError || error instanceof JournalMismatch) return 3
  return error instanceof AddressError ? 4 : 1
}

const wallClockUs = (): bigint => BigInt(Date.now()) * 1_000n
// Whoever reads the lines may go away; the engine goes on.
process.stdout.on('error', () => {})
const report = (line: Report): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

const openEngine = async (settings: EngineSettings): Promise<EngineService> => {
  const log = pino({ name: 'engine', level: settings.logLevel }, destination({ fd: 2, sync: true }))
  const chosen = openFlow(settings)
  const identity = await keepIdentity(
    settings.folder,
    {
      seed: `${settings.seed}`,
      users: `${settings.users}`,
      flow: chosen.identity,
      house: `${settings.house}`,
      makerBp: `${settings.makerBp}`,
      takerBp: `${settings.takerBp}`,
      meanStepUs: `${settings.meanStepUs}`,
      startUs: settings.startUs === null ? null : `${settings.startUs}`,
    },
    wallClockUs(),
  )
  const startUs = BigInt(identity.startUs)
  const { reference } = chosen
  return EngineService.open({ settings, flow: chosen.begin(startUs), reference, startUs, log, report, wallClockUs })
}

const main = async (): Promise<void> => {
  const settings = readSettings(process.env)
  const unlock = await lockFolder(settings.folder)
  try {
    // A signal may come while the journal is read: then the engine opens, says EOS and leaves.
    const stopping = new AbortController()
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stopping.abort())
    const engine = await openEngine(settings)
    stopping.signal.addEventListener('abort', () => engine.stop())
    if (stopping.signal.aborted) engine.stop()
    await engine.run()
  } finally {
    await unlock()
  }
}

try {
  await main()
} catch (error) {
  process.stderr.write(`engine: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = exitCodeOf(error)
  if (process.exitCode === 1 && error instanceof Error) process.stderr.write(`${error.stack}\n`)
}
// libzmq loses the word that a socket's events have ended, of about one socket in two thousand: the receive that waits
// for it would hold the process.
setTimeout(() => process.exit(), 1000).unref()
