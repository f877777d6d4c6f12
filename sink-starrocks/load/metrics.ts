import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Clock } from '../../runtime/clock.ts'

/** What this service tells Prometheus. `committed` gives, per partition owned, the pos (µs) up to which all is durable. */
export const loadMetrics = (
  registry: Registry,
  {
    clock,
    committed,
  }: { readonly clock: Clock; readonly committed: () => ReadonlyMap<number, { readonly pos: bigint }> },
) => {
  const registers = [registry]
  return {
    records: new Counter({ name: 'settle_load_records_total', help: 'Records of user.outputs taken', registers }),
    rows: new Counter({
      name: 'settle_load_rows_total',
      help: 'Rows durable in StarRocks, repeated ones included',
      labelNames: ['table'],
      registers,
    }),
    flushSeconds: new Histogram({
      name: 'settle_load_flush_seconds',
      help: 'From handing a batch over to its progress committed',
      labelNames: ['cause'],
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
    freshnessSeconds: new Histogram({
      name: 'settle_load_freshness_seconds',
      help: 'Age by pos of the oldest row of a batch when the batch is durable',
      buckets: [0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300],
      registers,
    }),
    lagSeconds: new Gauge({
      name: 'settle_load_lag_seconds',
      help: 'Age by pos of the last record whose progress is committed',
      labelNames: ['partition'],
      registers,
      // At each scrape, so that it grows while nothing moves.
      collect() {
        this.reset()
        const now = clock.nowUs()
        for (const [partition, { pos }] of committed()) this.set({ partition }, Number(now - pos) / 1e6)
      },
    }),
    lastPos: new Gauge({
      name: 'settle_load_last_pos',
      help: 'pos (µs) of the last record whose progress is committed',
      labelNames: ['partition'],
      registers,
      collect() {
        this.reset()
        for (const [partition, { pos }] of committed()) this.set({ partition }, Number(pos))
      },
    }),
    bufferedRows: new Gauge({ name: 'settle_load_buffered_rows', help: 'Rows that wait for a flush', registers }),
    attempts: new Counter({
      name: 'settle_load_attempts_total',
      help: 'Attempts at loads and questions after them, by what became of them',
      labelNames: ['table', 'verdict'],
      registers,
    }),
    errors: new Counter({
      name: 'settle_load_errors_total',
      help: 'Errors by code',
      labelNames: ['code'],
      registers,
    }),
    state: new Gauge({
      name: 'settle_load_state',
      help: '1 for the state that the loop is in',
      labelNames: ['state'],
      registers,
    }),
  }
}
export type LoadMetrics = ReturnType<typeof loadMetrics>
