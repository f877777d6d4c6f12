import type { OpsCommand } from '../command.ts'
import { type AdmitArguments, admitRequest } from './admit.ts'
import { parsePos } from './arguments.ts'
import { operatorCommand } from './operator-command.ts'

export const admitCommand: OpsCommand = context =>
  operatorCommand(context, {
    name: 'admit',
    description: 'let one output through that repartition refuses, as it is',
    example: 'settle admit --pos 1700000000000000 --who ann --why "INC-32: fee rounding, engine fixed" --dry-run',
    arguments: command =>
      command
        .requiredOption('--pos <pos>', 'pos of the refused output, as repartition tells it', parsePos)
        .option('--even-if-it-passes', 'although every check that this command can make is passed'),
    request: command => admitRequest(command.opts<AdmitArguments>()),
  })
