import { join } from 'node:path'
import type { StreamNames } from '../../runtime/names.ts'
import type { ChaosRun } from './chaos-run.ts'

const host = '127.0.0.1'

/** What the engine of a run is told. */
export const engineSettings = ({
  settings: { seed, rate },
  dir,
  names,
  live,
  replay,
  users,
  paceFactor,
}: Pick<ChaosRun, 'settings' | 'dir'> & {
  readonly names: StreamNames
  /** Ports. */
  readonly live: number
  readonly replay: number
  /** Few make the snapshot of each segment small. */
  readonly users: number
  /** What it makes beyond the rate that is asked for. */
  readonly paceFactor: number
}): Readonly<Record<string, string>> => ({
  ENGINE_DATA_DIR: join(dir, 'engine'),
  ENGINE_STREAM: names.stream,
  ENGINE_SEED: `${seed}`,
  ENGINE_USERS: `${users}`,
  // More than any run can do: the flow ends when it is told to.
  ENGINE_ORDERS: '1000000000',
  ENGINE_LIVE_ADDRESS: `tcp://${host}:${live}`,
  ENGINE_REPLAY_ADDRESS: `tcp://${host}:${replay}`,
  // Small: a reader that stalls loses for real, too.
  ENGINE_LIVE_HIGH_WATER_MARK: '2000',
  ENGINE_HEARTBEAT_MS: '200',
  ENGINE_RATE: `${Math.round(rate * paceFactor)}`,
  // It never waits for the bridge, so every outage is a backlog; and it forgets nothing until the check.
  ENGINE_MAX_UNACKED: '0',
  ENGINE_ACK_MARGIN: '1000000000',
  // A restart does the last segment again: small ones make it quick.
  ENGINE_SEGMENT_BYTES: `${2 * 1024 * 1024}`,
})
