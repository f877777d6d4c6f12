import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { FedEngine } from '../../fed-engine/fed-engine.ts'
import { serveParent } from '../../worker.ts'
import { OutputMaker } from '../outputs.ts'
import { type Burst, type Paced, type Run, SteadyRate, windowCount } from '../runs.ts'
import { Schedule } from '../schedule.ts'

/** Outputs sent before ACKs are looked for again. */
const sendsPerTurn = 64
const startMs = 20

const engine = await FedEngine.open(new OutputMaker())

const burst = async ({ count, ...span }: Extract<Run, { kind: 'burst' }>): Promise<Burst> => {
  engine.make(count)
  const rate = new SteadyRate({ startMs: performance.now(), ...span })
  let wake = (): void => {}
  engine.onAck = () => {
    rate.reached(engine.acked, performance.now())
    wake()
  }
  const acked = (): Promise<void> => new Promise(resolve => (wake = resolve))
  const before = process.cpuUsage()
  let sent = 0
  while (sent < count && performance.now() < rate.endMs) {
    const allowed = Math.min(count, engine.acked + windowCount, sent + sendsPerTurn)
    if (sent === allowed) await acked()
    else {
      engine.send(sent, allowed)
      sent = allowed
      await nextTurn()
    }
  }
  while (engine.acked < sent) await acked()
  const { user, system } = process.cpuUsage(before)
  return { perSecond: rate.perSecond, count: sent, cpuUsPerOutput: (user + system) / sent }
}

const paced = async ({ count, warmUp, perSecond }: Extract<Run, { kind: 'paced' }>): Promise<Paced> => {
  engine.make(count)
  const schedule = new Schedule({ startMs: performance.now() + startMs, perSecond, count })
  const over = Promise.withResolvers<void>()
  engine.onAck = () => {
    schedule.done(engine.acked, performance.now())
    if (schedule.isOver) over.resolve()
  }
  for (let sent = 0; sent < count; await pause(1)) {
    const due = schedule.due(performance.now())
    if (due > sent) engine.send(sent, due)
    sent = due
  }
  await over.promise
  return { count, latencyMs: schedule.quantiles(warmUp) }
}

serveParent(engine.addresses, async (run: Run) => {
  const result = run.kind === 'burst' ? await burst(run) : await paced(run)
  return { ...result, replayed: engine.replayed }
})
