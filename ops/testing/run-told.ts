import { systemClock } from '../../runtime/clock.ts'
import type { Environment } from '../../runtime/settings.ts'
import type { OpsCommand } from '../command.ts'
import { runCommandLine } from '../command-line.ts'

/** One `settle` command in this process, and what it told. */
export const runTold = async (
  args: readonly string[],
  options: { readonly env?: Environment; readonly command?: OpsCommand } = {},
): Promise<{ readonly exitCode: number; readonly out: string; readonly err: string }> => {
  const [out, err]: [string[], string[]] = [[], []]
  const { command, env = {} } = options
  const exitCode = await runCommandLine(
    {
      ...{ args, env, clock: systemClock },
      out: text => out.push(text),
      err: text => err.push(text),
      live: () => {},
    },
    ...(command ? [[command]] : []),
  )
  return { exitCode, out: out.join('\n'), err: err.join('\n') }
}
