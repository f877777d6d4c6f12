import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type GroupSpec, groupSpecs } from '../../../ops/init/groups.ts'
import { pos } from '../../../core/ids.ts'
import type { CommittedOffset, KafkaPort } from '../../../runtime/kafka/port.ts'
import { toCommitted } from '../../../runtime/reader/progress.ts'
import { serviceEntries } from '../../../sim/pipeline/services.ts'
import type { ChaosRun } from '../chaos-run.ts'
import { told } from '../hold-to-verify.ts'
import { askUntil } from '../read-log.ts'
import type { ReportRow } from '../report.ts'
import { compareFiles } from './same-files.ts'
import type { SinkStage } from './stage.ts'

const bounds = {
  /** Members that were killed are missed after the session timeout. */
  emptyMs: 60_000,
  archiveMs: 180_000,
  everyMs: 200,
  stopMs: 25_000,
} as const

/**
 * Archives the same topics once more, by one instance alone from the first record to where the others came, into a
 * folder of its own: the same files must be in both, byte for byte, and the same hashes be committed.
 */
export const holdToLoneArchive = async (
  { trace, say, dir }: ChaosRun,
  { stream, world, archiveDir }: SinkStage,
): Promise<readonly ReportRow[]> => {
  say('one archive alone writes the same folder again')
  const { kafka, names, partitions } = stream
  const { archive, archiveLog } = names.groups
  const groups = groupSpecs(names, partitions).filter(({ group }) => group === archive || group === archiveLog)
  const others = await committedOf(kafka, groups)
  await setBack(kafka, groups)
  const lone = join(dir, 'archive-alone')
  await mkdir(lone)
  const env = { ...stream.envOf('archive'), ARCHIVE_DIR: lone, INSTANCE: 'lone' }
  const process = world.cast.add({
    ...{ name: 'lone-archive', entry: serviceEntries.archive, env: () => env },
    onLine: line => trace.log('lone-archive', line),
  })
  process.start()
  const came = await askUntil(() => committedOf(kafka, groups), {
    isWanted: each => [...others].every(([place, { metadata }]) => each.get(place)?.metadata === metadata),
    withinMs: bounds.archiveMs,
    everyMs: bounds.everyMs,
  })
  await world.cast.retire(process, { with: 'SIGTERM', withinMs: bounds.stopMs })
  if (!came) {
    const now = await committedOf(kafka, groups)
    for (const [place, { metadata }] of others)
      if (now.get(place)?.metadata !== metadata)
        trace.violate(`${place}: three archives committed ${metadata}, one alone ${now.get(place)?.metadata}`, {
          shown: 'alone',
        })
  }
  const { files, differences } = await compareFiles(archiveDir, lone)
  for (const difference of differences.slice(0, told)) trace.violate(`files: ${difference}`, { shown: 'alone' })
  if (differences.length > told)
    trace.violate(`files: ${differences.length - told} more like these`, { shown: 'alone' })
  if (trace.violations.length === 0) await rm(lone, { recursive: true })
  return [['files of three archives and of one alone', `${files}, ${differences.length} differ`]]
}

/** By group and partition. */
const committedOf = async (
  kafka: KafkaPort,
  groups: readonly GroupSpec[],
): Promise<ReadonlyMap<string, CommittedOffset>> => {
  const all = new Map<string, CommittedOffset>()
  for (const { group, topic } of groups)
    for (const [partition, committed] of await kafka.committed({ group, topic }))
      all.set(`${group} ${partition}`, committed)
  return all
}

const setBack = async (kafka: KafkaPort, groups: readonly GroupSpec[]): Promise<void> => {
  const start = toCommitted({ offset: 0n, n: 0n, pos: pos(0n) })
  for (const { group, topic, partitions } of groups) {
    const empty = await askUntil(() => kafka.admin.members(group), {
      isWanted: members => members.length === 0,
      withinMs: bounds.emptyMs,
      everyMs: bounds.everyMs,
    })
    if (!empty) throw new Error(`group ${group} still has members after ${bounds.emptyMs} ms`)
    const offsets = new Map(Array.from({ length: partitions }, (_, partition) => [partition, start]))
    await kafka.admin.setOffsets({ group, topic, offsets })
  }
}
