import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** What repartition counts. */
export type RepartitionMeters = ReturnType<typeof openMeters>

export const openMeters = (registry: Registry) => {
  const registers = [registry]
  return {
    records: new Counter({ name: 'settle_repartition_records_total', help: 'Records written', registers }),
    barriers: new Counter({ name: 'settle_repartition_barriers_total', help: 'Barriers written', registers }),
    src: new Gauge({ name: 'settle_repartition_src', help: 'Last offset of the log taken', registers }),
    pos: new Gauge({ name: 'settle_repartition_pos_us', help: 'pos of the last record written', registers }),
    commitSeconds: new Histogram({
      name: 'settle_repartition_commit_seconds',
      help: 'Time of one transaction',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
  }
}
