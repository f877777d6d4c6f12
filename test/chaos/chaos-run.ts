import type { ChaosSettings } from './settings.ts'
import type { Trace } from './trace.ts'

/** What every target is handed. */
export type ChaosRun = {
  readonly settings: ChaosSettings
  /** Everything that the run writes. */
  readonly dir: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly trace: Trace
  readonly signal: AbortSignal
  /** A line for whoever watches. */
  readonly say: (text: string) => void
}
