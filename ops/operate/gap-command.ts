import type { OpsCommand } from '../command.ts'
import { parsePoint, parsePosition } from './arguments.ts'
import { type GapArguments, gapRequest } from './gap.ts'
import { operatorCommand } from './operator-command.ts'

export const gapCommand: OpsCommand = context =>
  operatorCommand(context, {
    name: 'gap',
    description: 'accept that the engine lost outputs: the stopped bridge goes on behind them',
    example: 'settle gap --after 7/42/120 --who ann --why "INC-31: journal disk lost" --dry-run',
    arguments: command =>
      command
        .requiredOption('--after <epoch/random/seq>', 'the last output that the log has: where it stands', parsePoint)
        .option(
          '--to <epoch/random/seq/chain>',
          'the last output that is lost, with the chain after it (default: as the engine says)',
          parsePosition,
        ),
    request: command => gapRequest(command.opts<GapArguments>()),
  })
