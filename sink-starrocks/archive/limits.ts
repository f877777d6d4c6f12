import { settingsProblem } from '../../runtime/settings.ts'

/** Every bound of this service. */
export const limits = {
  /** Records that come one by one are fetched some together: nobody waits for them before their window ends. */
  gatherMs: 500,
  /** Text of a file that waits in memory before it is written, per open file. */
  writeBufferBytes: 256 * 1024,
  /** An offset commit is asked again this often: the effect is durable, so asking again is harmless. */
  commitAttempts: 20,
  commitRetryMs: 500,
  windowMs: { min: 1000, max: 7 * 24 * 3_600_000, default: 3_600_000 },
  partitions: { min: 1, max: 1024, default: 12 },
} as const

/** Relations between this service's settings. @throws Stop `settings` with every problem */
export const checkSettings = (settings: {
  readonly KAFKA_SESSION_TIMEOUT_MS: number
  readonly KAFKA_HEARTBEAT_INTERVAL_MS: number
}): void => {
  const { KAFKA_SESSION_TIMEOUT_MS: sessionMs, KAFKA_HEARTBEAT_INTERVAL_MS: heartbeatMs } = settings
  const problems: string[] = []
  if (heartbeatMs * 3 > sessionMs)
    problems.push(
      `KAFKA_HEARTBEAT_INTERVAL_MS=${heartbeatMs}: three heartbeats must fit in KAFKA_SESSION_TIMEOUT_MS=${sessionMs}`,
    )
  if (problems.length > 0) throw settingsProblem(problems)
}
