import { Command } from 'commander'
import { namesOf } from '../../runtime/names.ts'
import { parseSettings, setting } from '../../runtime/settings.ts'
import { exitCodes } from '../../runtime/stop.ts'
import type { OpsCommand } from '../command.ts'
import { jsonText } from '../json-text.ts'
import { barriersBack } from '../last-places.ts'
import { openPlaces } from '../places.ts'
import { opsSettings, storeSettings } from '../settings.ts'
import { openStderrLog } from '../stderr-log.ts'
import { readArchiveStatus } from './archive-status.ts'
import { readKafkaStatus } from './kafka-status.ts'
import { statusText } from './report.ts'
import { ask, problemsOf, type Status } from './status.ts'
import { readScyllaStatus, readStarRocksStatus } from './store-status.ts'

const openForMs = 5_000

export const statusCommand: OpsCommand = ({ env, out, clock, exitWith }) =>
  new Command('status')
    .description('one page: how far everybody is, who is parked, what is wrong; exit 1 if something is')
    .option('--json', 'the page as JSON')
    .action(async (options: { readonly json?: true }) => {
      const settings = parseSettings({ ...opsSettings, ...storeSettings, ARCHIVE_DIR: setting.text }, env)
      const { STREAM: stream, PARTITIONS: partitions, ARCHIVE_DIR: dir } = settings
      const names = namesOf(stream)
      await using places = openPlaces({ settings, log: openStderrLog(settings.LOG_LEVEL), clock })
      const { kafka } = places
      const status: Status = {
        stream,
        partitions,
        kafka: await ask(() => readKafkaStatus(kafka, names)),
        scylla: await ask(async () => {
          const cql = await places.openCql({ keyspace: names.keyspace, openForMs })
          const barriers = barriersBack(kafka, { topic: names.topics.users })
          try {
            return await readScyllaStatus(cql, { barriers, partitions })
          } finally {
            await cql.close()
          }
        }),
        starrocks: await ask(async () => {
          const sql = places.openSql(names.database)
          try {
            return await readStarRocksStatus(sql)
          } finally {
            await sql.close()
          }
        }),
        archive: await ask(() => readArchiveStatus({ dir, stream, partitions })),
      }
      const problems = problemsOf(status)
      out(options.json ? jsonText({ ...status, problems }) : statusText(status))
      exitWith(problems.length === 0 ? exitCodes.done : exitCodes.failed)
    })
