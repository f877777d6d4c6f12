import { setTimeout as pause } from 'node:timers/promises'
import { pino } from 'pino'
import { limits } from '../../../bridge/limits.ts'
import { pos } from '../../../core/ids.ts'
import { openKafka } from '../../../runtime/kafka/kafka.ts'
import type { OutgoingRecord } from '../../../runtime/kafka/port.ts'
import { logOutputBytes, stampLogOutput, writeLogOutput } from '../../../schemas/codec.ts'
import { serveParent } from '../../worker.ts'
import { OutputMaker, session } from '../outputs.ts'
import { type Burst, type Paced, type Run, SteadyRate } from '../runs.ts'
import { Schedule } from '../schedule.ts'

const [, , brokers = '', topic = ''] = process.argv
const startMs = 20
const kafka = openKafka({
  brokers: brokers.split(','),
  clientId: 'bench-port',
  log: pino({ level: 'silent' }),
  sessionTimeoutMs: 6000,
  heartbeatIntervalMs: 500,
})
const writer = await kafka.openTxWriter({ transactionalId: `${topic}.bench` })
const maker = new OutputMaker()
let lastPos = BigInt(Date.now()) * 1000n

let made: OutgoingRecord[] = []

/** The very bytes that the bridge would write; what a run leaves over is for the next one. */
const make = (count: number): void => {
  const more = maker.make(Math.max(0, count - made.length)).map(({ seq, chain, payload }) => {
    lastPos++
    const record = Buffer.alloc(logOutputBytes(payload))
    writeLogOutput('Output', { at: { ...session, seq, chain }, payload }, record)
    const value = stampLogOutput(record, pos(lastPos))
    return { topic, partition: 0, key: null, value, timestampMs: lastPos / 1000n }
  })
  made = [...made, ...more]
}

/** The bridge's own batches: while one commits, the next ones queue, up to its limit. */
const burst = async ({ count, ...span }: Extract<Run, { kind: 'burst' }>): Promise<Burst> => {
  make(count)
  const rate = new SteadyRate({ startMs: performance.now(), ...span })
  const before = process.cpuUsage()
  let done = 0
  while (done < count && performance.now() < rate.endMs) {
    const batch = made.slice(done, Math.min(count, done + limits.batchCount))
    await writer.commitBatch({ records: batch })
    done += batch.length
    rate.reached(done, performance.now())
  }
  const { user, system } = process.cpuUsage(before)
  made = made.slice(done)
  return { perSecond: rate.perSecond, count: done, cpuUsPerOutput: (user + system) / done }
}

const paced = async ({ count, warmUp, perSecond }: Extract<Run, { kind: 'paced' }>): Promise<Paced> => {
  make(count)
  const schedule = new Schedule({ startMs: performance.now() + startMs, perSecond, count })
  for (let done = 0; done < count; ) {
    const due = Math.min(schedule.due(performance.now()), done + limits.batchCount)
    if (due === done) await pause(1)
    else {
      await writer.commitBatch({ records: made.slice(done, due) })
      done = due
      schedule.done(done, performance.now())
    }
  }
  made = made.slice(count)
  return { count, latencyMs: schedule.quantiles(warmUp) }
}

serveParent({}, async (run: Run): Promise<Burst | Paced> => (run.kind === 'burst' ? burst(run) : paced(run)))
