import { Command, CommanderError } from 'commander'
import { CqlFailure } from '../runtime/cql/port.ts'
import { KafkaFailure } from '../runtime/kafka/port.ts'
import { SqlFailure } from '../runtime/starrocks/sql-port.ts'
import { exitCodes, Stop } from '../runtime/stop.ts'
import type { CommandContext, OpsCommand } from './command.ts'
import { commands } from './commands.ts'
import { jsonText } from './json-text.ts'

/**
 * Runs one `settle` command and says how the process ends: 0 all is well, 1 differences or a failure, 2 settings or
 * arguments are wrong, 3 refused. With `--json` a failure is an object on stdout too.
 */
export const runCommandLine = async (
  options: Omit<CommandContext, 'exitWith'> & { readonly args: readonly string[] },
  available: readonly OpsCommand[] = commands,
): Promise<number> => {
  const { args, out, err } = options
  let exitCode: number = exitCodes.done
  const context: CommandContext = { ...options, exitWith: code => (exitCode = code) }
  const program = new Command('settle')
    .description('Looks after one stream: what it needs, how it does, and whether every place says the same.')
    .addHelpText(
      'after',
      '\nSettings come from the environment, by the names that the services use; STREAM names the stream.',
    )
    .exitOverride()
  for (const command of available) program.addCommand(command(context))
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands: inner }) => inner)])
    command.exitOverride().configureOutput({
      writeOut: text => out(text.trimEnd()),
      writeErr: text => err(text.trimEnd()),
    })
  try {
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    const { code, message, reason, context: details } = asStop(error)
    err(`settle: ${message}`)
    if (args.includes('--json')) out(jsonText({ error: { code, message, ...details } }))
    return exitCodes[reason]
  }
}

const asStop = (error: unknown): Stop => {
  if (error instanceof Stop) return error
  if (error instanceof KafkaFailure)
    return new Stop({
      code: `kafka-${error.kind}`,
      reason: 'failed',
      message: `Kafka: ${error.message}; see that the brokers of KAFKA_BROKERS are up and right, then run it again`,
      cause: error,
    })
  if (error instanceof CqlFailure || error instanceof SqlFailure) {
    const { kind, message } = error
    const code = error instanceof CqlFailure ? `scylla-${kind}` : `starrocks-${kind}`
    return new Stop({ code, reason: 'failed', message, cause: error })
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return new Stop({ code: 'unexpected', reason: 'failed', message, cause: error })
}
