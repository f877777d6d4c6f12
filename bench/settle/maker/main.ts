import type { EngineOutput } from '../../../core/events.ts'
import { type Pos, pos, type UserId } from '../../../core/ids.ts'
import type { OutgoingRecord } from '../../../runtime/kafka/port.ts'
import { serveParent } from '../../worker.ts'
import { Exchange, userOf } from '../exchange.ts'
import { LogMaker } from '../log-maker.ts'
import { openBenchKafka } from '../places.ts'
import type { MakerAnswer, MakerQuestion } from './questions.ts'

const [, , brokers = '', topic = '', outputsPerSecond] = process.argv
const batchCount = 2_000
const hourUs = 3_600_000_000n

const writer = await openBenchKafka(brokers.split(',')).openTxWriter({ transactionalId: `${topic}.bench` })
const exchange = new Exchange({ seed: 1n })
/** With a rate: the time of an exchange that has so many outputs a second, however fast they are made here. */
const time = outputsPerSecond === undefined ? null : { stepUs: 1_000_000n / BigInt(outputsPerSecond), nowUs: 0n }
if (time) time.nowUs = BigInt(Date.now()) * 1000n - hourUs
const log = new LogMaker(time ? () => (time.nowUs += time.stepUs) : undefined)
const timeOf = (): bigint => log.nextPos()

let lastPos: Pos = pos(0n)

const write = async (outputs: Iterable<EngineOutput>): Promise<void> => {
  let records: OutgoingRecord[] = []
  const flush = async (): Promise<void> => {
    if (records.length > 0) await writer.commitBatch({ records })
    records = []
  }
  for (const output of outputs) {
    const { pos, value } = log.make(output)
    lastPos = pos
    records.push({ topic, partition: 0, key: null, value, timestampMs: pos / 1000n })
    if (records.length === batchCount) await flush()
  }
  await flush()
}

/** A deposit that is the first output of the next window. */
const afterWindow = function* (windowMs: number): Iterable<EngineOutput> {
  if (!time) throw new Error('a window closes by itself where time is what the clock says')
  const windowUs = BigInt(windowMs) * 1000n
  time.nowUs = (time.nowUs / windowUs + 1n) * windowUs
  yield exchange.deposit(userOf(0), exchange.assets[0] as number, 1n, timeOf())
}

/** Orders until there were so many trades. */
const orders = function* (trades: number): Iterable<EngineOutput> {
  const end = exchange.trades + trades
  while (exchange.trades < end) yield exchange.order(timeOf())
}

const account = (user: UserId) =>
  exchange.assets.map(asset => {
    const { available, frozen, version } = exchange.account(user, asset)
    return { asset, available, frozen, version }
  })

serveParent({}, async (question: MakerQuestion): Promise<MakerAnswer> => {
  if (question.kind === 'open') await write(exchange.opening(timeOf))
  if (question.kind === 'trade') await write(orders(question.trades))
  if (question.kind === 'close') await write(afterWindow(question.windowMs))
  return { lastPos, accounts: question.kind === 'accounts' ? question.users.map(account) : [] }
})
