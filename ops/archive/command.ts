import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { streamName } from '../../runtime/names.ts'
import { exitCodes } from '../../runtime/stop.ts'
import type { OpsCommand } from '../command.ts'
import { jsonText } from '../json-text.ts'
import { wayOut } from './finding.ts'
import { archiveReport } from './report.ts'
import { streamIn } from './survey.ts'
import { verifyArchive } from './verify-archive.ts'

const parseStream = (text: string): string => {
  const parsed = streamName.safeParse(text)
  if (parsed.success) return parsed.data
  throw new InvalidArgumentError(parsed.error.issues.map(({ message }) => message).join('; '))
}

/** Needs no setting: whoever has the folder has everything. */
export const archiveCommand: OpsCommand = ({ out, live, exitWith }) =>
  new Command('archive').description('look at the CSV archive by itself').addCommand(
    new Command('verify')
      .description('prove a folder whole, without Kafka or any store; exit 1 when it is not')
      .argument('<dir>', 'the folder that the archive calls ARCHIVE_DIR, or a copy of it')
      .option('--stream <name>', 'whose archive, where the folder holds several', parseStream)
      .option('--json', 'the result as JSON')
      .action(async (given: string, options: { readonly stream?: string; readonly json?: true }) => {
        const dir = resolve(given)
        const stream = await streamIn(dir, options.stream)
        const result = await verifyArchive({
          ...{ dir, stream },
          onProgress: ({ windows, of, bytes }) =>
            live(`verifying ${stream}: ${windows} of ${of} windows, ${bytes / 1_000_000n} MB`),
        }).finally(() => live(null))
        const { listed, ...rest } = result
        const json = {
          ...rest,
          whole: result.findings === 0,
          listed: listed.map(each => ({ ...each, wayOut: wayOut(each) })),
        }
        out(options.json ? jsonText(json) : archiveReport(result))
        exitWith(result.findings === 0 ? exitCodes.done : exitCodes.failed)
      }),
  )
