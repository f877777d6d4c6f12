import { formatTimeUs } from '../../schemas/archive/iso-time.ts'
import { tableText } from '../table-text.ts'
import { findingText, wayOut } from './finding.ts'
import type { ArchiveResult } from './verify-archive.ts'

/** The result for people: what is wrong and the ways out, a table, and the verdict as the last line. */
export const archiveReport = (result: ArchiveResult): string => {
  const { listed, findings, partitions, unfinished } = result
  const ways = [...new Set(listed.map(wayOut))]
  const behind = partitions.filter(each => each.behind === 1).length
  return [
    ...listed.map(findingText),
    ...(findings > listed.length ? [`and ${findings - listed.length} more`] : []),
    ...ways.map(way => `way out: ${way}`),
    tableText(
      ['partition', 'windows', 'rows', 'bytes', 'last window', 'head'],
      partitions.map(({ topic, partition, partitions: of, windows, rows, bytes, lastWindow, head }) => [
        ...[`${topic} ${partition} of ${of}`, windows, rows, bytes, lastWindow ?? '', head ?? ''],
      ]),
      ['windows', 'rows', 'bytes', 'last window'],
    ),
    ...(unfinished > 0 ? [`${unfinished} unfinished files: of the window that was being written`] : []),
    ...(behind > 0 ? [`${behind} partitions lack the log's last window: it was not archived yet, or is gone`] : []),
    verdict(result),
  ].join('\n')
}

const verdict = ({ stream, findings, wholeTo }: ArchiveResult): string => {
  if (findings > 0)
    return `archive of ${stream}: NOT whole, ${findings} ${findings === 1 ? 'thing is' : 'things are'} wrong`
  return `archive of ${stream}: whole${wholeTo === null ? '' : ` up to ${formatTimeUs(wholeTo)}`}`
}
