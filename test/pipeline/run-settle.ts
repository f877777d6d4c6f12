import { serviceEnvironment, type Stack } from '../../local/stack.ts'
import { runTold } from '../../ops/testing/run-told.ts'

export type Ran = { readonly exitCode: number; readonly out: string; readonly err: string }

/** One `settle` command in this process, told where the stack's servers are. */
export const runSettle = (
  stack: Stack,
  { args, env }: { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> },
): Promise<Ran> => runTold(args, { env: { ...serviceEnvironment(stack), ...env } })
