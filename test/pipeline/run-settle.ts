import { serviceEnvironment, type Stack } from '../../local/stack.ts'
import { runCommandLine } from '../../ops/command-line.ts'
import { systemClock } from '../../runtime/clock.ts'

export type Ran = { readonly exitCode: number; readonly out: string; readonly err: string }

/** One `settle` command in this process, told where the stack's servers are. */
export const runSettle = async (
  stack: Stack,
  { args, env }: { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> },
): Promise<Ran> => {
  const [out, err]: [string[], string[]] = [[], []]
  const exitCode = await runCommandLine({
    args,
    env: { ...serviceEnvironment(stack), ...env },
    clock: systemClock,
    out: text => out.push(text),
    err: text => err.push(text),
  })
  return { exitCode, out: out.join('\n'), err: err.join('\n') }
}
