import { Command, InvalidArgumentError } from 'commander'
import { checkStore } from '../../runtime/cql/stream-meta.ts'
import { namesOf } from '../../runtime/names.ts'
import { parseSettings, setting } from '../../runtime/settings.ts'
import { checkDatabase } from '../../runtime/starrocks/check-database.ts'
import { exitCodes } from '../../runtime/stop.ts'
import type { OpsCommand } from '../command.ts'
import { jsonText } from '../json-text.ts'
import { openPlaces } from '../places.ts'
import { opsSettings } from '../settings.ts'
import { settingsWithout, type Skipped, skipOption } from '../skip.ts'
import { openStderrLog } from '../stderr-log.ts'
import { reportText } from './report.ts'
import { verify } from './verify.ts'

const maxWaitMs = 3_600_000

const waitMs = (text: string): number => {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > maxWaitMs)
    throw new InvalidArgumentError(`must be a whole number of milliseconds, at most ${maxWaitMs}`)
  return value
}

type Options = { readonly waitMs: number; readonly skip: ReadonlySet<Skipped>; readonly json?: true }

export const verifyCommand: OpsCommand = ({ env, out, clock, exitWith }) =>
  new Command('verify')
    .description('prove log = ScyllaDB = StarRocks = CSV at a common barrier; exit 1 when they differ')
    .option('--wait-ms <n>', "wait until the barrier covers the log's last Output, at most so long", waitMs, 0)
    .addOption(skipOption('leave out scylladb, starrocks or archive: they are not looked at, nor waited for'))
    .option('--json', 'the result as JSON')
    .action(async (options: Options) => {
      const { skip } = options
      const ARCHIVE_DIR = skip.has('archive') ? setting.text.default('') : setting.text
      const settings = parseSettings({ ...opsSettings, ...settingsWithout(skip), ARCHIVE_DIR }, env)
      const names = namesOf(settings.STREAM)
      const log = openStderrLog(settings.LOG_LEVEL)
      await using places = openPlaces({ settings, log, clock })
      const whose = { stream: settings.STREAM, partitions: settings.PARTITIONS }
      const cql = skip.has('scylladb') ? null : await places.openCql({ keyspace: names.keyspace })
      const sql = skip.has('starrocks') ? null : places.openSql(names.database)
      try {
        if (cql) await checkStore(cql, { ...whose, keyspace: names.keyspace })
        if (sql) await checkDatabase(sql, { ...whose, database: names.database })
        const result = await verify({
          kafka: places.kafka,
          cql,
          sql,
          archiveDir: skip.has('archive') ? null : settings.ARCHIVE_DIR,
          names,
          partitions: settings.PARTITIONS,
          clock,
          waitMs: options.waitMs,
          onProgress: text => log.info(text),
        })
        out(options.json ? jsonText({ stream: settings.STREAM, ...result }) : reportText(settings.STREAM, result))
        exitWith(result.differences === 0 ? exitCodes.done : exitCodes.failed)
      } finally {
        await cql?.close()
        await sql?.close()
      }
    })
