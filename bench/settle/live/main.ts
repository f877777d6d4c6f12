import { setImmediate as nextTurn } from 'node:timers/promises'
import { FedEngine } from '../../fed-engine/fed-engine.ts'
import { serveParent } from '../../worker.ts'
import { ChainedOutputs } from '../chained-outputs.ts'
import { Exchange } from '../exchange.ts'
import { dueMsOf, keepPace, leadMs, type Pace, timeUsOf } from '../pace.ts'
import { PacedOrders, type Probe } from '../paced-orders.ts'
import { openBenchCql, type StoreAddress } from '../places.ts'
import { Prober } from '../prober.ts'

export type LiveQuestion =
  /** Sends reference data and deposits, and waits until they are in Kafka. */
  { readonly kind: 'open' } | ({ readonly kind: 'pace' } & Pace)
/** `latenciesMs`: of the probes, in order. */
export type LiveAnswer = { readonly latenciesMs: readonly number[]; readonly replayed: number }
export type LiveReady = { readonly live: string; readonly replay: string }

const [, , address = '', keyspace = ''] = process.argv
const windowCount = 10_000
const sendsPerTurn = 64

const cql = await openBenchCql(JSON.parse(address) as StoreAddress, keyspace)
const source = new ChainedOutputs()
const engine = await FedEngine.open(source)
const exchange = new Exchange({ seed: 2n })
const orders = new PacedOrders(exchange)

const allAcked = async (sent: number): Promise<void> => {
  while (engine.acked < sent) await new Promise<void>(resolve => (engine.onAck = resolve))
}

const open = async (): Promise<void> => {
  const opening = [...exchange.opening(() => timeUsOf(performance.now()))]
  source.from = opening.values()
  engine.make(opening.length)
  for (let sent = 0; sent < opening.length; await nextTurn()) {
    await allAcked(sent - windowCount)
    const to = Math.min(opening.length, sent + sendsPerTurn)
    engine.send(sent, to)
    sent = to
  }
  await allAcked(opening.length)
}

const paced = async (pace: Pace): Promise<readonly number[]> => {
  const startMs = performance.now() + leadMs
  const probes: (Probe | null)[] = []
  source.from = (function* () {
    for (let index = 0; index < pace.count; index++) {
      const { output, probe } = orders.make(index, timeUsOf(dueMsOf(startMs, index, pace)))
      probes.push(probe)
      yield output
    }
  })()
  engine.make(pace.count)
  const prober = new Prober(cql, new AbortController().signal)
  await keepPace(startMs, pace, (from, to) => {
    engine.send(from, to)
    for (let index = from; index < to; index++) {
      const probe = probes[index]
      if (probe) prober.expect(probe, dueMsOf(startMs, index, pace))
    }
  })
  const seen = await prober.seen()
  await allAcked(pace.count)
  return seen
}

serveParent(engine.addresses, async (question: LiveQuestion): Promise<LiveAnswer> => {
  if (question.kind === 'open') await open()
  const latenciesMs = question.kind === 'pace' ? await paced(question) : []
  return { latenciesMs, replayed: engine.replayed }
})
