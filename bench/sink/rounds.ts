import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { drainByRepartition } from '../settle/drain.ts'
import type { MakerQuestion } from '../settle/maker/questions.ts'
import type { SinkStack, SinkStream } from './stream.ts'
import { Worker } from '../worker.ts'
import { csvBytes, secondsOfCp } from './copy.ts'
import { type Posted, postWithCurl } from './curl.ts'
import type { DrainedRows } from '../settle/service-life.ts'
import { drainByArchive } from './drain-by-archive.ts'
import { startLoadLife } from './load-life.ts'
import { type Maker, startMaker } from './maker.ts'
import { dropViews, makeDatabase, openBenchSql } from './places.ts'
import type { PrepareAnswer, PrepareQuestion } from './prepare/main.ts'
import { requireSameRows } from './same-rows.ts'

const rounds = 5
/** Loaded before anything is measured: the first rate says how many trades make a round. */
const firstTrades = 3_000
/** Rounds as long as those that are measured, in which servers and load compile themselves. */
const warmUpRounds = 2
const loadSeconds = 30
const mostTrades = 40_000
const within = { withinMs: 300_000 }

export type Round = {
  readonly trades: number
  readonly load: DrainedRows
  readonly curl: Posted
  readonly archive: DrainedRows & { readonly mbPerSecond: number }
  readonly cpMbPerSecond: number
}

/** load beside curl, archive beside cp: rounds of all of them after one another, on the same servers and records. */
export const measureRounds = async (
  stream: SinkStream,
  { stack, scale, say }: { readonly stack: SinkStack; readonly scale: number; readonly say: (line: string) => void },
): Promise<readonly Round[]> => {
  const { names, place, brokers } = stream
  const { starrocks } = stack
  const posted = `${names.stream}_curl`
  const dir = join(stack.dataDir, 'prepared')
  await makeDatabase(starrocks, posted)
  for (const database of [names.database, posted]) await dropViews(starrocks, database)
  await using ending = new AsyncDisposableStack()
  const maker = await startMaker(stream)
  ending.defer(() => maker.stop())
  const preparer = await Worker.start<object, PrepareQuestion, PrepareAnswer>(
    join(import.meta.dirname, 'prepare/main.ts'),
    [brokers.join(','), names.topics.users],
  )
  ending.defer(() => preparer.stop())

  const life = await startLoadLife(place)
  ending.defer(() => life.kill())

  const round = async (trades: number, question: MakerQuestion): Promise<Round> => {
    const { lastPos, ends } = await prepareTopics(stream, maker, question)
    const load = await life.drain(ends, within)
    const { files } = await preparer.ask({ dir }, within)
    const curl = await postWithCurl(files, { starrocks, database: posted, dir })
    await rm(dir, { recursive: true })
    const before = await csvBytes(place.archiveDir)
    const archive = await drainByArchive(place, { ends, lastPos, ...within })
    const after = await csvBytes(place.archiveDir)
    const cpSeconds = await secondsOfCp(place.archiveDir, join(stack.dataDir, 'copied'))
    const mbPerSecond = (after - before) / 1e6 / archive.seconds
    return { trades, load, curl, archive: { ...archive, mbPerSecond }, cpMbPerSecond: after / 1e6 / cpSeconds }
  }

  say('funding the users and warming up')
  await round(0, { kind: 'open' })
  const first = await round(firstTrades, { kind: 'trade', trades: firstTrades })
  const trades = Math.min(mostTrades, Math.ceil((loadSeconds * scale * firstTrades) / first.load.seconds))
  const measured: Round[] = []
  for (let number = 1 - warmUpRounds; number <= rounds; number++) {
    const done = await round(trades, { kind: 'trade', trades })
    if (number > 0) measured.push(done)
    const { load, curl, archive, cpMbPerSecond } = done
    const thousands = [load.rows / load.seconds, curl.rows / curl.seconds].map(each => (each / 1000).toFixed(1))
    const megabytes = [archive.mbPerSecond, cpMbPerSecond].map(each => each.toFixed(1))
    say(
      `round ${number}${number > 0 ? '' : ' (to warm up)'} of ${trades} trades: load ${thousands[0]}, curl ${thousands[1]} thousand rows/s; archive ${megabytes[0]}, cp ${megabytes[1]} MB/s`,
    )
  }
  await life.stop()
  const sql = openBenchSql(starrocks)
  ending.defer(() => sql.close())
  say(`load and curl left the same ${await requireSameRows(sql, names.database, posted)} rows`)
  return measured
}

/** Both topics with what the maker is asked for, and one output more: it closes the window before it. */
export const prepareTopics = async ({ kafka, names, place }: SinkStream, maker: Maker, question: MakerQuestion) => {
  await maker.ask(question, within)
  const { lastPos } = await maker.ask({ kind: 'close', windowMs: place.intervals.windowMs }, within)
  const { ends } = await drainByRepartition(place, { kafka, names, lastPos, ...within })
  return { lastPos, ends }
}
