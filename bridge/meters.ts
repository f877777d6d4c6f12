import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** What the bridge counts. */
export type BridgeMeters = ReturnType<typeof openMeters>

export const openMeters = (registry: Registry) => {
  const registers = [registry]
  const gauge = (name: string, help: string) => new Gauge({ name: `settle_bridge_${name}`, help, registers })
  const counter = (name: string, help: string) => new Counter({ name: `settle_bridge_${name}_total`, help, registers })
  return {
    records: counter('records', 'Records made durable'),
    dropped: new Counter({
      name: 'settle_bridge_dropped_total',
      help: 'Frames dropped because they were not next',
      labelNames: ['reason'],
      registers,
    }),
    terms: counter('terms', 'Terms begun as the active bridge'),
    commands: new Counter({
      name: 'settle_bridge_commands_total',
      help: 'Operators’ commands answered, by the kind of record that answers',
      labelNames: ['answer'],
      registers,
    }),
    replays: counter('replay_requests', 'Replay requests sent'),
    fruitlessReplays: gauge('fruitless_replays', 'Replay requests in a row that brought nothing'),
    lostAcks: counter('unsent_acks', 'ACKs that could not be sent'),
    seq: gauge('seq', 'Last seq made durable in the current session'),
    pos: gauge('pos_us', 'Last pos stamped'),
    posAheadUs: gauge('pos_ahead_us', 'By how much pos is ahead of our clock: it was set back, or was wrong'),
    aheadOfEngineUs: gauge('clock_ahead_of_engine_us', 'Our clock less the engine’s, by its last heartbeat'),
    behind: gauge('behind', '1 while outputs are known, or not known not, to be missing'),
    buffered: gauge('buffered_outputs', 'Outputs kept because those before them are missing'),
    queued: gauge('queued_records', 'Records that wait for a transaction'),
    commitSeconds: new Histogram({
      name: 'settle_bridge_commit_seconds',
      help: 'Time of one transaction',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
  }
}
