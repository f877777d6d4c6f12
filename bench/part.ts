import type { ServerName, Stack } from '../local/stack.ts'
import type { Figure } from './figure.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** One thing that is measured on servers of its own. */
export type Part = {
  readonly name: string
  readonly servers: readonly ServerName[]
  /** Whether it knows smaller sizes than its full one. */
  readonly sizes: 'one' | 'any'
  run(bench: {
    readonly stack: Stack
    /** Chooses the same stack. */
    readonly env: Environment
    /** 1, or how much less of everything, to try a part. */
    readonly scale: number
    /** Tells a person how far it is. */
    readonly say: (line: string) => void
  }): Promise<readonly Figure[]>
}
