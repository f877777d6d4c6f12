import { Command } from 'commander'
import { namesOf } from '../../runtime/names.ts'
import { parseSettings } from '../../runtime/settings.ts'
import type { OpsCommand } from '../command.ts'
import { jsonText } from '../json-text.ts'
import { openPlaces } from '../places.ts'
import { opsSettings, replicationSettings } from '../settings.ts'
import { settingsWithout, type Skipped, skipOption } from '../skip.ts'
import { openStderrLog } from '../stderr-log.ts'
import { tableText } from '../table-text.ts'
import { groupSpecs, inspectGroups } from './groups.ts'
import { init, type InitMode, type InitPlace, type InitResult } from './init.ts'
import { inspectScylla } from './scylla.ts'
import { inspectStarRocks } from './starrocks.ts'
import { inspectTopics, topicSpecs } from './topics.ts'

type Options = { readonly dryRun?: true; readonly skip: ReadonlySet<Skipped>; readonly json?: true }

export const initCommand: OpsCommand = ({ env, out, clock }) =>
  new Command('init')
    .description("make the stream's topics, tables and its groups' first offsets; what is there stays as it is")
    .option('--dry-run', 'look at everything, say what would be made, make nothing')
    .addOption(
      skipOption('leave out scylladb or starrocks: a later init makes what they need (the archive needs nothing made)'),
    )
    .option('--json', 'the result as JSON')
    .action(async (options: Options) => {
      const { skip } = options
      const settings = parseSettings({ ...opsSettings, ...settingsWithout(skip), ...replicationSettings }, env)
      const log = openStderrLog(settings.LOG_LEVEL)
      const names = namesOf(settings.STREAM)
      await using places = openPlaces({ settings, log, clock })
      const topics = topicSpecs(names, {
        partitions: settings.PARTITIONS,
        replicationFactor: settings.REPLICATION_FACTOR,
        // One copy may be away while writes go on; with fewer than three copies none may.
        minInsyncReplicas: Math.max(1, settings.REPLICATION_FACTOR - 1),
        maxMessageBytes: settings.MAX_MESSAGE_BYTES,
      })
      const { kafka } = places
      const shared = { stream: settings.STREAM, partitions: settings.PARTITIONS }
      const inspected: readonly (InitPlace & { readonly name: 'Kafka' | 'ScyllaDB' | 'StarRocks' })[] = [
        { name: 'Kafka', inspect: () => inspectTopics(kafka.admin, topics) },
        { name: 'Kafka', inspect: () => inspectGroups(kafka, groupSpecs(names, settings.PARTITIONS)) },
        {
          name: 'ScyllaDB',
          inspect: () =>
            inspectScylla({
              ...shared,
              open: places.openCql,
              keyspace: names.keyspace,
              datacenter: settings.CQL_DATACENTER,
              replicationFactor: settings.CQL_REPLICATION_FACTOR,
            }),
        },
        {
          name: 'StarRocks',
          inspect: () =>
            inspectStarRocks({
              ...shared,
              openSql: places.openSql,
              database: names.database,
              replicationNum: settings.STARROCKS_REPLICATION_NUM,
            }),
        },
      ]
      const mode: InitMode = options.dryRun ? 'dry-run' : 'make'
      const leftOut = new Set([skip.has('scylladb') && 'ScyllaDB', skip.has('starrocks') && 'StarRocks'])
      const chosen = inspected.filter(({ name }) => !leftOut.has(name))
      const result = await init(chosen, mode)
      out(options.json ? jsonText({ stream: settings.STREAM, mode, ...result }) : initText(settings.STREAM, result))
    })

const initText = (stream: string, { rows }: InitResult): string => {
  const changed = rows.filter(({ done }) => done !== 'was there')
  const verdict =
    changed.length === 0
      ? 'everything was there; nothing changed'
      : changed[0]?.done === 'made'
        ? `${changed.length} made, ${rows.length - changed.length} were there`
        : `${changed.length} would be made, ${rows.length - changed.length} are there; nothing changed`
  return `${tableText(
    ['place', 'thing', ''],
    rows.map(({ place, thing, done }) => [place, thing, done]),
  )}\ninit ${stream}: ${verdict}`
}
