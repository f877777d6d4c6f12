import { formatTimeUs } from '../../schemas/archive/iso-time.ts'
import { positionText } from '../operate/arguments.ts'
import { tableText } from '../table-text.ts'
import type { RestoreResult } from './restore.ts'

/** The result for people; the last line says what became of the topic. */
export const restoreText = (stream: string, result: RestoreResult): string => {
  const { archive, held, aside, lostAnswers, written } = result
  const tense = written === null ? 'would be' : 'were'
  return [
    tableText(
      ['restore of', `${stream}.engine.outputs`],
      [
        ['records in the archive', `${archive.records}, ${archive.bytes} bytes, up to window ${archive.lastWindow}`],
        ['first pos', `${archive.first}, ${formatTimeUs(archive.first)}`],
        ['last pos', `${archive.last.pos}, ${formatTimeUs(archive.last.pos)}`],
        ['the engine goes on after', positionText(archive.last.at)],
        ['there already', `${held.records}${held.beyond > 0n ? `, and ${held.beyond} records behind them` : ''}`],
        [written === null ? 'to write' : 'written', `${written ?? archive.records - held.records}`],
      ],
    ),
    ...(aside
      ? [
          `${aside.files} files of windows behind the log's last one ${tense} moved to ${aside.folder}: their outputs come again, in later windows`,
        ]
      : []),
    ...(lostAnswers.length > 0
      ? [
          `${lostAnswers.length} operators' commands were answered in the part of the log that is lost; give them again:`,
          ...lostAnswers.map(({ kind, id, who, why }) => `  ${kind} ${id} of ${who}: ${why}`),
        ]
      : []),
    `settle restore: ${verdict(result)}`,
  ].join('\n')
}

const verdict = ({ archive, held, written }: RestoreResult): string => {
  if (written === null) return 'dry run, nothing was written; the same command without --dry-run writes it'
  if (written === 0n)
    return held.beyond > 0n
      ? 'nothing to do: the topic holds all of the archive, and the bridge has gone on from there'
      : 'nothing to do: the topic holds all of the archive'
  return `done: the topic holds all ${archive.records} records; start the services`
}
