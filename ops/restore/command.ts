import { resolve } from 'node:path'
import { Command } from 'commander'
import { nodeFiles } from '../../runtime/files.ts'
import { openKafkaFrom } from '../../runtime/kafka/kafka.ts'
import { namesOf } from '../../runtime/names.ts'
import { kafkaSettings, parseSettings } from '../../runtime/settings.ts'
import { streamIn } from '../archive/survey.ts'
import type { OpsCommand } from '../command.ts'
import { jsonText } from '../json-text.ts'
import { parseId, parseWho, parseWhy, positionText } from '../operate/arguments.ts'
import { opsSettings } from '../settings.ts'
import { openStderrLog } from '../stderr-log.ts'
import { restoreText } from './report.ts'
import { restore } from './restore.ts'

type Options = {
  readonly who: string
  readonly why: string
  readonly id?: string
  readonly dryRun?: true
  readonly json?: true
}

export const restoreCommand: OpsCommand = ({ env, out, live, clock }) =>
  new Command('restore')
    .description('refill engine.outputs from its archive, after Kafka was lost')
    .argument('<dir>', 'the folder that the archive calls ARCHIVE_DIR')
    .requiredOption('--who <name>', 'who gives the command; kept for ever', parseWho)
    .requiredOption('--why <text>', 'why; kept for ever', parseWhy)
    .option('--id <id>', 'of the Note that the log will hold (default: a new one)', parseId)
    .option('--dry-run', 'prove and compare everything, and write nothing')
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  settle restore /archive --who ann --why "INC-35: Kafka lost" --dry-run\n\nExit codes: 0 done, 1 a failure: run it again, 2 arguments, 3 refused. docs/archive.md tells the steps around it.',
    )
    .action(async (given: string, options: Options) => {
      const { STREAM, LOG_LEVEL } = opsSettings
      const settings = parseSettings({ STREAM, LOG_LEVEL, ...kafkaSettings }, env)
      const names = namesOf(settings.STREAM)
      const dir = resolve(given)
      await streamIn(dir, names.stream)
      const kafka = openKafkaFrom(settings, { clientId: 'settle', log: openStderrLog(settings.LOG_LEVEL) })
      const { who, why, id, dryRun, json } = options
      try {
        const result = await restore({
          ...{ dir, kafka, files: nodeFiles, clock, names, who, why, live },
          ...(id === undefined ? {} : { id }),
          mode: dryRun ? 'dry-run' : 'write',
        }).finally(() => live(null))
        const { last, ...archive } = result.archive
        const told = { ...result, archive: { ...archive, last: { pos: last.pos, at: positionText(last.at) } } }
        out(json ? jsonText({ stream: names.stream, ...told }) : restoreText(names.stream, result))
      } finally {
        await kafka.close()
      }
    })
