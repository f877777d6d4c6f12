import { Counter, Gauge, type Registry } from 'prom-client'

/** What settle shows of itself. */
export const settleMetrics = (registry: Registry) => {
  const registers = [registry]
  const partition = ['partition'] as const
  return {
    records: new Counter({
      name: 'settle_settle_records_total',
      help: 'Records taken, by kind',
      labelNames: ['kind'],
      registers,
    }),
    rows: new Counter({
      name: 'settle_settle_rows_total',
      help: 'Rows acknowledged by the store',
      labelNames: ['phase'],
      registers,
    }),
    batches: new Counter({ name: 'settle_settle_batches_total', help: 'Batches acknowledged', registers }),
    lastPos: new Gauge({
      name: 'settle_settle_last_pos',
      help: 'pos of the last record acknowledged, µs',
      labelNames: partition,
      registers,
    }),
    committedPos: new Gauge({
      name: 'settle_settle_committed_pos',
      help: 'pos of the last barrier committed, µs',
      labelNames: partition,
      registers,
    }),
    lagSeconds: new Gauge({
      name: 'settle_settle_lag_seconds',
      help: 'Wall clock less the pos last acknowledged',
      labelNames: partition,
      registers,
    }),
    state: new Gauge({
      name: 'settle_settle_loop_state',
      help: '1 for the state that the loop is in',
      labelNames: ['partition', 'state'],
      registers,
    }),
    held: new Gauge({
      name: 'settle_settle_held_barriers',
      help: 'Barriers acknowledged and not yet committed',
      labelNames: partition,
      registers,
    }),
    stalled: new Gauge({
      name: 'settle_settle_commit_stalled',
      help: '1 when a barrier was read long ago and could not be committed',
      labelNames: partition,
      registers,
    }),
    cells: new Gauge({
      name: 'settle_settle_cached_cells',
      help: 'Cells in the cache',
      labelNames: partition,
      registers,
    }),
    parked: new Gauge({
      name: 'settle_settle_parked_users',
      help: 'Users parked (alarm above 0)',
      labelNames: partition,
      registers,
    }),
    parkings: new Counter({
      name: 'settle_settle_parkings_total',
      help: 'Users parked since the start, by refusal',
      labelNames: ['code'],
      registers,
    }),
    heals: new Counter({
      name: 'settle_settle_heals_total',
      help: 'Users settled again from the log, by the record that caused it',
      labelNames: ['by'],
      registers,
    }),
    restarts: new Counter({
      name: 'settle_settle_restarts_total',
      help: 'Times an owner started again from the committed offset',
      registers,
    }),
    retries: new Counter({
      name: 'settle_settle_store_retries_total',
      help: 'Requests sent to the store again',
      labelNames: ['code'],
      registers,
    }),
    intervals: new Counter({
      name: 'settle_settle_intervals_total',
      help: 'Intervals whose conservation was checked',
      labelNames: ['result'],
      registers,
    }),
    intervalsOpen: new Gauge({ name: 'settle_settle_intervals_open', help: 'Intervals not yet checked', registers }),
    conservationAlarm: new Gauge({
      name: 'settle_settle_conservation_alarm',
      help: '1 when an interval does not add up, or a row of one is missing',
      registers,
    }),
    errors: new Counter({
      name: 'settle_settle_errors_total',
      help: 'Errors by code',
      labelNames: ['code'],
      registers,
    }),
  }
}

export type SettleMetrics = ReturnType<typeof settleMetrics>
