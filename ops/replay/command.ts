import { Option } from 'commander'
import type { OpsCommand } from '../command.ts'
import { parsePos } from '../operate/arguments.ts'
import { operatorCommand } from '../operate/operator-command.ts'
import { type ReplayArguments, replayGroups, replayRequest } from './replay.ts'
import type { ReplayTo } from './target.ts'

const parseTo = (text: string): ReplayTo =>
  text === 'start' ? { kind: 'start' } : { kind: 'pos', pos: parsePos(text) }

export const replayCommand: OpsCommand = context =>
  operatorCommand(context, {
    name: 'replay',
    description: 'set a stopped group back, so that it reads again what it has read',
    example: 'settle replay --group settle --to 1700000000000000 --who ann --why "INC-34: table restored" --dry-run',
    arguments: command =>
      command
        .addOption(
          new Option('--group <service>', 'whose group; all of its services must have stopped')
            .choices(replayGroups)
            .makeOptionMandatory(),
        )
        .requiredOption(
          '--to <start | pos>',
          'start: the first record; a pos: just after the last barrier at or before it',
          parseTo,
        ),
    request: command => replayRequest(command.opts<ReplayArguments>()),
  })
