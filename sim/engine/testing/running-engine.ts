import { pino } from 'pino'
import { onTestFinished, vi } from 'vitest'
import { EngineService, type Report } from '../engine-service.ts'
import { openFlow } from '../open-flow.ts'
import { readSettings } from '../settings.ts'
import { testStartUs } from './test-flow.ts'

export type RunningEngine = {
  readonly live: string
  readonly replay: string
  readonly reports: readonly Report[]
  /** What it logged, line by line. */
  readonly logged: readonly string[]
  /** Ends the session; resolves when everything is closed. */
  stop(): Promise<void>
}

/** Starts an engine in this process on ports that are free; it is stopped after the test. */
export const startEngine = async (
  folder: string,
  environment: Record<string, string> = {},
  { wallClockUs = () => 123_456_789n }: { readonly wallClockUs?: () => bigint } = {},
): Promise<RunningEngine> => {
  const settings = readSettings({
    ENGINE_DATA_DIR: folder,
    ENGINE_USERS: '10',
    ENGINE_ORDERS: '200',
    ENGINE_LIVE_ADDRESS: 'tcp://127.0.0.1:*',
    ENGINE_REPLAY_ADDRESS: 'tcp://127.0.0.1:*',
    ENGINE_HEARTBEAT_MS: '20',
    ENGINE_MAX_UNACKED: '0',
    ENGINE_LOG_LEVEL: 'warn',
    ...environment,
  })
  const reports: Report[] = []
  const logged: string[] = []
  const chosen = openFlow(settings)
  const service = await EngineService.open({
    settings,
    flow: chosen.begin(testStartUs),
    reference: chosen.reference,
    startUs: testStartUs,
    log: pino({ level: settings.logLevel }, { write: (line: string) => void logged.push(line) }),
    report: line => void reports.push(line),
    wallClockUs,
  })
  const running = service.run()
  const stop = (): Promise<void> => {
    service.stop()
    return running
  }
  onTestFinished(stop)
  return { ...service.addresses, reports, logged, stop }
}

/** Until the engine has done its flow. */
export const isDone = ({ reports }: RunningEngine): Promise<unknown> =>
  until(() => reports.some(({ kind }) => kind === 'done'))

/** Until a condition holds; generous, since a busy machine is no failure. */
export const until = (condition: () => boolean | Promise<boolean>): Promise<unknown> =>
  vi.waitUntil(condition, { timeout: 25_000, interval: 10 })
