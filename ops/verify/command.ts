import { Command, InvalidArgumentError } from 'commander'
import { checkStore } from '../../runtime/cql/stream-meta.ts'
import { namesOf } from '../../runtime/names.ts'
import { parseSettings, setting } from '../../runtime/settings.ts'
import { checkDatabase } from '../../runtime/starrocks/check-database.ts'
import { exitCodes } from '../../runtime/stop.ts'
import type { OpsCommand } from '../command.ts'
import { jsonText } from '../json-text.ts'
import { openPlaces } from '../places.ts'
import { opsSettings, storeSettings } from '../settings.ts'
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

export const verifyCommand: OpsCommand = ({ env, out, clock, exitWith }) =>
  new Command('verify')
    .description('prove log = ScyllaDB = StarRocks = CSV at a common barrier; exit 1 when they differ')
    .option('--wait-ms <n>', "wait until the barrier covers the log's last Output, at most so long", waitMs, 0)
    .option('--json', 'the result as JSON')
    .action(async (options: { readonly waitMs: number; readonly json?: true }) => {
      const settings = parseSettings({ ...opsSettings, ...storeSettings, ARCHIVE_DIR: setting.text }, env)
      const names = namesOf(settings.STREAM)
      const log = openStderrLog(settings.LOG_LEVEL)
      await using places = openPlaces({ settings, log, clock })
      const whose = { stream: settings.STREAM, partitions: settings.PARTITIONS }
      const cql = await places.openCql({ keyspace: names.keyspace })
      const sql = places.openSql(names.database)
      try {
        await checkStore(cql, { ...whose, keyspace: names.keyspace })
        await checkDatabase(sql, { ...whose, database: names.database })
        const result = await verify({
          kafka: places.kafka,
          cql,
          sql,
          archiveDir: settings.ARCHIVE_DIR,
          names,
          partitions: settings.PARTITIONS,
          clock,
          waitMs: options.waitMs,
          onProgress: text => log.info(text),
        })
        out(options.json ? jsonText({ stream: settings.STREAM, ...result }) : reportText(settings.STREAM, result))
        exitWith(result.differences === 0 ? exitCodes.done : exitCodes.failed)
      } finally {
        await cql.close()
        await sql.close()
      }
    })
