import { tableText } from '../table-text.ts'
import type { Difference, TableResult } from './tally.ts'
import type { VerifyResult } from './verify.ts'

/** The result for people: what differs, a table, and the verdict as the last line. */
export const reportText = (stream: string, result: VerifyResult): string => {
  const { barrier, coversLastOutput, lastOutput, tables, parkedBalances } = result
  const covers = coversLastOutput
    ? "covers the log's last Output"
    : `does not cover the log's last Output (pos ${lastOutput}); wait for it with --wait-ms`
  return [
    ...tables.flatMap(told),
    tableText(
      ['place', 'table', 'compared', 'differences'],
      tables.map(({ place, table, rows, differences: count }) => [place, table, rows, count]),
      ['compared', 'differences'],
    ),
    `${stream} at barrier pos ${barrier.pos}, log offset ${barrier.src}: ${covers}`,
    ...(parkedBalances > 0
      ? [`${parkedBalances} balances of parked users stand still at an earlier version; see settle status`]
      : []),
    verdict(result),
  ].join('\n')
}

const verdict = ({ differences, leftOut }: VerifyResult): string => {
  const found = differences === 0 ? 'equal' : `${differences} difference${differences === 1 ? '' : 's'}`
  return `verify: ${found}${leftOut.length > 0 ? `, ${leftOut.join(' and ')} not looked at` : ''}`
}

const told = ({ place, table, differences, listed }: TableResult): readonly string[] =>
  differences === 0
    ? []
    : [
        ...listed.map(each => `${place} ${table}: ${differenceText(each)}`),
        ...(differences > listed.length ? [`${place} ${table}: and ${differences - listed.length} more`] : []),
      ]

export const differenceText = (difference: Difference): string => {
  switch (difference.kind) {
    case 'missing':
      return `${difference.key}: missing, expected ${difference.expected}`
    case 'extra':
      return `${difference.key}: should not be there, found ${difference.found}`
    case 'different':
      return `${difference.key}: ${difference.column} should be ${difference.expected}, found ${difference.found}`
    case 'broken':
      return `${difference.key}: ${difference.problem}`
  }
}
