import type { Command } from 'commander'
import type { Clock } from '../runtime/clock.ts'
import type { Environment } from '../runtime/settings.ts'

/** What a command is handed, so that tests own all of it. */
export type CommandContext = {
  readonly env: Environment
  readonly clock: Clock
  /** A line for stdout: results. */
  readonly out: (text: string) => void
  /** A line for stderr: progress and errors. */
  readonly err: (text: string) => void
  /** How far it is, on the one line of a terminal that the next call writes over; null clears it. No terminal, no line. */
  readonly live: (text: string | null) => void
  /** How the process ends when the command resolves; 0 unless told. */
  readonly exitWith: (code: number) => void
}

/** One `settle` command; it lives in a file of its own and is listed in commands.ts. */
export type OpsCommand = (context: CommandContext) => Command
