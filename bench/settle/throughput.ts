import { join } from 'node:path'
import type { StoreSlack } from '../store-slack.ts'
import { Worker } from '../worker.ts'
import type { BareAnswer, BareQuestion } from './bare-store/main.ts'
import { checkBalances } from './check-balances.ts'
import { type Drained, RepartitionLife } from './drain.ts'
import type { MakerAnswer, MakerQuestion } from './maker/questions.ts'
import type { ReplacedAnswer, ReplacedQuestion } from './replaced/main.ts'
import type { DrainedRows } from './service-life.ts'
import { startSettleLife } from './settle-life.ts'
import { untilStoreRests } from './store-rest.ts'
import { type BenchStream, makeKeyspace, makeTables } from './stream.ts'

const rounds = 5
/** Not measured: a JVM compiles itself for longer than one takes. */
const warmUpRounds = 2
/** Settled before anything is measured: the first rate says how many make a round. */
const firstTrades = 12_000
const settleSeconds = 45
const mostTrades = 40_000
const replacedMs = 5_000
export const manyInFlight = 64
const stepWithinMs = 180_000
const batchRecords = 500

/** Trades a second. */
export const settleRate = ({ trades, settle }: Pick<Round, 'trades' | 'settle'>): number => trades / settle.seconds

export type Round = {
  readonly trades: number
  readonly repartition: Drained
  readonly settle: DrainedRows
  readonly bare: BareAnswer
  readonly oneByOne: ReplacedAnswer
  readonly many: ReplacedAnswer
}

/** Rounds of all the designs after one another, on the same servers and the same trades. */
export const measureThroughput = async (
  stream: BenchStream,
  slack: StoreSlack,
  say: (line: string) => void,
): Promise<readonly Round[]> => {
  const { names, place, brokers, store, kafka, cql } = stream
  await using ending = new AsyncDisposableStack()
  const worker = async <Question, Answer>(entry: string, args: readonly string[]) => {
    const started = await Worker.start<object, Question, Answer>(join(import.meta.dirname, entry), args)
    ending.defer(() => started.stop())
    return started
  }
  const [bareKeyspace, replacedKeyspace] = [`${names.stream}_bare`, `${names.stream}_replaced`]
  await makeTables(stream, bareKeyspace)
  await makeKeyspace(stream, replacedKeyspace)
  const [bus, address] = [brokers.join(','), JSON.stringify(store)]
  const maker = await worker<MakerQuestion, MakerAnswer>('maker/main.ts', [bus, names.topics.log])
  const bare = await worker<BareQuestion, BareAnswer>('bare-store/main.ts', [
    ...[bus, address, bareKeyspace, names.topics.users, `${batchRecords}`],
  ])
  const replaced = await worker<ReplacedQuestion, ReplacedAnswer>('replaced/main.ts', [address, replacedKeyspace])
  const repartition = await RepartitionLife.start(place)
  ending.defer(() => repartition.kill())
  const life = await startSettleLife(place, stream)
  ending.defer(() => life.kill())
  const within = { withinMs: stepWithinMs }

  const round = async (trades: number): Promise<Round> => {
    const { lastPos } = await maker.ask({ kind: 'trade', trades }, within)
    await untilStoreRests(cql, within)
    const { ends, ...split } = await repartition.drain({ kafka, names, lastPos, ...within })
    await untilStoreRests(cql, within)
    slack.late()
    const settle = await life.drain(ends, within)
    slack.usual()
    await untilStoreRests(cql, within)
    const oneByOne = await replaced.ask({ inFlight: 1, forMs: replacedMs }, within)
    const many = await replaced.ask({ inFlight: manyInFlight, forMs: replacedMs }, within)
    await bare.ask({ kind: 'fold', keep: true }, within)
    await untilStoreRests(cql, within)
    slack.late()
    const played = await bare.ask({ kind: 'play' }, within)
    return { trades, repartition: split, settle, bare: played, oneByOne, many }
  }

  say('funding the users and warming up')
  const { lastPos } = await maker.ask({ kind: 'open' }, within)
  const { ends } = await repartition.drain({ kafka, names, lastPos, ...within })
  await life.drain(ends, within)
  await bare.ask({ kind: 'fold', keep: false }, within)
  const first = await round(firstTrades)
  const trades = Math.min(mostTrades, Math.ceil((settleSeconds * firstTrades) / first.settle.seconds))

  const measured: Round[] = []
  for (let number = 1 - warmUpRounds; number <= rounds; number++) {
    const done = await round(trades)
    if (number > 0) measured.push(done)
    const rates = [done.bare.seconds, done.repartition.seconds].map(seconds => trades / seconds)
    const shown = [settleRate(done), ...rates, done.oneByOne.perSecond, done.many.perSecond].map(Math.round)
    say(
      `${number > 0 ? `round ${number}` : 'warming up'}, trades/s: settle ${shown[0]}, bare store ${shown[1]}, repartition ${shown[2]}, replaced one by one ${shown[3]}, ${manyInFlight} at once ${shown[4]}`,
    )
  }
  await repartition.stop()
  await life.stop()
  await checkBalances(stream, maker)
  return measured
}
