import { describe, expect, test } from 'vitest'
import { ask, problemsOf, type Status } from './status.ts'
import { statusText } from './report.ts'

const groups = ['bridge', 'repartition', 'settle', 'load', 'archive', 'archive-log'].map(name => ({
  group: `demo.${name}`,
  topic: ['settle', 'load', 'archive'].includes(name) ? 'demo.user.outputs' : 'demo.engine.outputs',
  members: 1,
  committed: ['settle', 'load', 'archive'].includes(name) ? 4 : 1,
  pos: 1_700_000_000_000_000n,
  lag: 0n,
}))
const kafka = {
  topics: [{ topic: 'demo.user.outputs', partitions: 4, end: 10n }],
  groups,
  lastOutput: 1_700_000_000_000_000n,
  lastBarrier: null,
}
const scylla = { interval: 1_700_000_000_000_000n, incomplete: 0, parked: [], parkedCount: 0 }
const parked = { user: 7n, pos: 9n, asset: 1, version: 3n, code: 'gap', message: 'version 3 came after 1' }
const answer = <T>(value: T): { readonly kind: 'answer'; readonly value: T } => ({ kind: 'answer', value })
const well: Status = {
  stream: 'demo',
  partitions: 4,
  kafka: answer(kafka),
  scylla: answer(scylla),
  starrocks: answer([{ table: 'trades', rows: 5n, pos: null }]),
  archive: answer({ windows: 2, newest: ['a.json'] }),
}
const withGroup = (name: string, over: Partial<(typeof groups)[0]>): Status => ({
  ...well,
  kafka: answer({ ...kafka, groups: groups.map(each => (each.group === name ? { ...each, ...over } : each)) }),
})

test('nothing is wrong where nothing is', () => {
  expect(problemsOf(well)).toEqual([])
  expect(statusText(well)).toMatch(/status demo: all is well$/)
})

describe('what is wrong is told with what to run', () => {
  test.each<readonly [string, Status, string]>([
    [
      'a missing topic',
      { ...well, kafka: answer({ ...kafka, topics: [{ topic: 't', partitions: null, end: 0n }] }) },
      'topic t does not exist; run: settle init',
    ],
    [
      'another number of partitions',
      { ...well, partitions: 5 },
      'topic demo.user.outputs has 4 partitions, PARTITIONS says 5; set PARTITIONS=4',
    ],
    [
      'nobody reads',
      withGroup('demo.load', { members: 0, lag: 12n }),
      'nobody is in group demo.load, and 12 records wait; start sink-starrocks/load/main.ts',
    ],
    [
      'no offsets',
      withGroup('demo.archive', { committed: 0 }),
      'group demo.archive has offsets of 0 of 4 partitions of demo.user.outputs; run: settle init',
    ],
    [
      'a parked user',
      { ...well, scylla: answer({ ...scylla, parked: [parked], parkedCount: 3 }) },
      'user 7 is parked since pos 9: asset 1, version 3 (gap: version 3 came after 1)',
    ],
    [
      'a silent place',
      { ...well, starrocks: { kind: 'silent', problem: 'refused' } },
      "StarRocks can't be asked: refused",
    ],
  ])('%s', (_, status, problem) => {
    expect(problemsOf(status).join('\n')).toContain(problem)
    expect(statusText(status)).toContain(`! ${problem}`)
    expect(statusText(status)).not.toContain('all is well')
  })

  test('repartition keeps its place elsewhere than in its group', () => {
    expect(problemsOf(withGroup('demo.repartition', { committed: 0 }))).toEqual([])
  })
})

test('a place that fails is silent, and the question does not fail', async () => {
  expect(await ask(() => Promise.reject(new Error('gone')))).toEqual({ kind: 'silent', problem: 'gone' })
  expect(await ask(() => Promise.resolve(5))).toEqual({ kind: 'answer', value: 5 })
})
