import type { ServerName, Stack } from '../local/stack.ts'
import type { Figure } from './figure.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** One thing that is measured on servers of its own. */
export type Part = {
  readonly name: string
  readonly servers: readonly ServerName[]
  run(bench: {
    readonly stack: Stack
    /** Chooses the same stack. */
    readonly env: Environment
    /** Tells a person how far it is. */
    readonly say: (line: string) => void
  }): Promise<readonly Figure[]>
}
