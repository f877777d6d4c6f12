import type { OpsCommand } from '../command.ts'
import { parseAmount, parseUser, parseVersion } from './arguments.ts'
import { type CorrectArguments, correctRequest } from './correct.ts'
import { operatorCommand } from './operator-command.ts'

export const correctCommand: OpsCommand = context =>
  operatorCommand(context, {
    name: 'correct',
    description: "supply the missing version of a user's balance, from the engine's own books",
    example:
      'settle correct --user 42 --asset BTC --version 9 --available 150000000 --frozen 0 --who ann --why INC-31 --dry-run',
    arguments: command =>
      command
        .requiredOption('--user <id>', 'whose balance', parseUser)
        .requiredOption('--asset <name or id>', 'which asset')
        .requiredOption('--version <n>', 'the last version that is missing', parseVersion)
        .requiredOption('--available <n>', "available at that version, in the asset's smallest unit", parseAmount)
        .requiredOption('--frozen <n>', "frozen at that version, in the asset's smallest unit", parseAmount)
        .option('--ahead', "although no output of the log waits for it: the engine's books say so"),
    request: command => correctRequest(command.opts<CorrectArguments>()),
  })
