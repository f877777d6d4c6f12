import { expect, it } from 'vitest'
import type { EnginePosition } from '../../core/events.ts'
import { nextChain, zeroChain } from '../../schemas/chain.ts'
import { LogCheck, type ReadRecord } from './check-log.ts'
import type { JournalOutput } from './engine-journal.ts'

/** Two sessions of four outputs each, the chain over both. */
const journal: readonly JournalOutput[] = (() => {
  let chain = zeroChain
  return [1n, 2n].flatMap(epoch =>
    [1n, 2n, 3n, 4n].map(seq => {
      const payload = Buffer.from(`output ${epoch}/${seq}`)
      chain = nextChain(chain, payload)
      return { at: { epoch, random: epoch * 7n, seq, chain }, payload }
    }),
  )
})()

const output = ({ at, payload }: JournalOutput): Draft => ({ kind: 'Output', at, payload })
type Draft = Pick<ReadRecord, 'kind' | 'at' | 'payload'>
const session = (after: JournalOutput | undefined, epoch: bigint): Draft => ({
  kind: 'Session',
  at: { epoch, random: epoch * 7n, seq: 0n, chain: after?.at.chain ?? zeroChain },
  payload: null,
})
const tick = (at: EnginePosition): Draft => ({ kind: 'Tick', at, payload: null })

/** What a bridge makes of the journal, a Tick in the middle. */
const goodLog = (): Draft[] => [
  session(undefined, 1n),
  ...journal.slice(0, 2).map(output),
  tick(journal[1]?.at as EnginePosition),
  ...journal.slice(2, 4).map(output),
  session(journal[3], 2n),
  ...journal.slice(4).map(output),
]

const violationsOf = async (log: readonly Draft[], edit: (record: ReadRecord) => ReadRecord = r => r) => {
  const check = await LogCheck.open(
    (async function* () {
      yield* journal
    })(),
  )
  for (const [i, draft] of log.entries()) await check.take(edit({ ...draft, offset: BigInt(i), pos: BigInt(100 + i) }))
  await check.end()
  return check.violations
}

it('finds nothing in a log that equals the journal', async () => {
  expect(await violationsOf(goodLog())).toEqual([])
})

/** Places in the good log: 0 Session, 1 2 outputs, 3 Tick, 4 5 outputs, 6 Session, 7 … 10 outputs. */
it.each([1, 2, 4, 5, 7, 9])('finds that the record at place %s is missing', async place => {
  const found = await violationsOf(goodLog().toSpliced(place, 1))
  expect(found.join('\n')).toContain('missing before it')
})

it('finds that the last one is missing', async () => {
  expect(await violationsOf(goodLog().toSpliced(10, 1))).toEqual([
    'missing at the end of the log: 1 outputs, session 2/14 seq 4 to session 2/14 seq 4',
  ])
})

it.each([1, 5, 8, 10])('finds that the record at place %s is doubled', async place => {
  const log = goodLog()
  const found = await violationsOf(log.toSpliced(place, 0, log[place] as Draft))
  expect(found).toHaveLength(1)
  expect(found[0]).toContain('doubled or out of order')
})

it.each([1, 4, 7, 9])('finds that the records at place %s and the next are swapped', async place => {
  const log = goodLog()
  const found = await violationsOf(log.with(place, log[place + 1] as Draft).with(place + 1, log[place] as Draft))
  expect(found.join('\n')).toContain('out of order')
})

it('finds an altered payload, an altered chain, another random', async () => {
  const [log, place] = [goodLog(), 8]
  const good = log[place] as Draft
  const other = async (change: Partial<Draft>) =>
    (await violationsOf(log.with(place, { ...good, ...change }))).join('\n')
  expect(await other({ payload: Buffer.from('output 2/3') })).toContain('its bytes are not those of the journal')
  expect(await other({ at: { ...good.at, chain: zeroChain } })).toContain('with its chain')
  expect(await other({ at: { ...good.at, random: 1n } })).toContain('no Session record of it')
})

it('finds that a session is not told, too late, told twice, or goes on from elsewhere', async () => {
  const log = goodLog()
  expect((await violationsOf(log.toSpliced(6, 1))).join('\n')).toContain('no Session record of it')
  expect((await violationsOf(log.with(6, log[7] as Draft).with(7, log[6] as Draft))).join('\n')).toContain('no Session')
  expect((await violationsOf(log.toSpliced(7, 0, log[6] as Draft))).join('\n')).toContain('its epoch does not rise')
  expect((await violationsOf(log.with(6, session(journal[2], 2n)))).join('\n')).toContain('from the last chain')
})

it('finds a pos that stands still, and a Tick that carries another position', async () => {
  const still = await violationsOf(goodLog(), record => (record.offset === 5n ? { ...record, pos: 104n } : record))
  expect(still).toEqual(['offset 5, Output session 1/7 seq 4: pos does not rise: 104 after 104'])
  const tickElsewhere = goodLog().with(3, tick(journal[0]?.at as EnginePosition))
  expect((await violationsOf(tickElsewhere)).join('\n')).toContain('another position')
})
