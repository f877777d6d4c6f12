import type { EngineOutput } from '../../../core/events.ts'
import type { UserId } from '../../../core/ids.ts'
import type { OutgoingRecord } from '../../../runtime/kafka/port.ts'
import { quietClientWarnings } from '../../../runtime/warnings.ts'
import { serveParent } from '../../worker.ts'
import { Exchange } from '../exchange.ts'
import { LogMaker } from '../log-maker.ts'
import { openBenchKafka } from '../places.ts'
import type { MakerAnswer, MakerQuestion } from './questions.ts'

quietClientWarnings()
const [, , brokers = '', topic = ''] = process.argv
const batchCount = 2_000

const writer = await openBenchKafka(brokers.split(',')).openTxWriter({ transactionalId: `${topic}.bench` })
const exchange = new Exchange({ seed: 1n })
const log = new LogMaker()
const timeOf = (): bigint => log.nextPos()

const write = async (outputs: Iterable<EngineOutput>): Promise<number> => {
  let records: OutgoingRecord[] = []
  let count = 0
  const flush = async (): Promise<void> => {
    if (records.length > 0) await writer.commitBatch({ records })
    count += records.length
    records = []
  }
  for (const output of outputs) {
    const { pos, value } = log.make(output)
    records.push({ topic, partition: 0, key: null, value, timestampMs: pos / 1000n })
    if (records.length === batchCount) await flush()
  }
  await flush()
  return count
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
  switch (question.kind) {
    case 'open':
      return { outputs: await write(exchange.opening(timeOf)), accounts: [] }
    case 'trade':
      return { outputs: await write(orders(question.trades)), accounts: [] }
    case 'accounts':
      return { outputs: 0, accounts: question.users.map(account) }
  }
})
