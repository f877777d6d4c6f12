import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** What the bridge counts. */
export type BridgeMeters = ReturnType<typeof openMeters>

export const openMeters = (registry: Registry) => {
  const registers = [registry]
  return {
    records: new Counter({ name: 'settle_bridge_records_total', help: 'Records made durable', registers }),
    dropped: new Counter({
      name: 'settle_bridge_dropped_total',
      help: 'Frames dropped because they were not next',
      labelNames: ['reason'],
      registers,
    }),
    replays: new Counter({ name: 'settle_bridge_replay_requests_total', help: 'Replay requests sent', registers }),
    lostAcks: new Counter({ name: 'settle_bridge_unsent_acks_total', help: 'ACKs that could not be sent', registers }),
    seq: new Gauge({ name: 'settle_bridge_seq', help: 'Last seq made durable in the current session', registers }),
    pos: new Gauge({ name: 'settle_bridge_pos_us', help: 'Last pos stamped', registers }),
    commitSeconds: new Histogram({
      name: 'settle_bridge_commit_seconds',
      help: 'Time of one transaction',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
  }
}
