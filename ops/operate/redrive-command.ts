import type { OpsCommand } from '../command.ts'
import { parseUser } from './arguments.ts'
import { operatorCommand } from './operator-command.ts'
import { type RedriveArguments, redriveRequest } from './redrive.ts'

export const redriveCommand: OpsCommand = context =>
  operatorCommand(context, {
    name: 'redrive',
    description: 'read the log again for a parked user',
    example: 'settle redrive --user 42 --who ann --why "INC-33: cell restored" --dry-run',
    arguments: command => command.requiredOption('--user <id>', 'who is parked', parseUser),
    request: command => redriveRequest(command.opts<RedriveArguments>()),
  })
