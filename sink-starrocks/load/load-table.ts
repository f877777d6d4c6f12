import type { Clock } from '../../runtime/clock.ts'
import type { LoadRequest, LoadVerdict, StreamLoadPort } from '../../runtime/starrocks/stream-load-port.ts'
import { refuse, Stop } from '../../runtime/stop.ts'
import { limits } from './limits.ts'

export type LoadTableOptions = {
  readonly port: StreamLoadPort
  readonly clock: Clock
  readonly request: LoadRequest
  /** Once aborted nothing is begun anew; what is under way may end. */
  readonly stop: AbortSignal
  /** Cuts what is under way. */
  readonly cut: AbortSignal
  /** Told of every verdict, for metrics, health and log. */
  readonly onVerdict: (table: string, verdict: LoadVerdict) => void
}

/**
 * Brings one table's rows into StarRocks: asks when in doubt, sends the same rows again when they are not there.
 * `abandoned` when told to stop first: the rows may or may not be there, and will be sent again by whoever reads on.
 * @throws Stop `load-rows-refused`, another code of a fatal verdict, or `load-gave-up` after limits.giveUpAfterMs
 */
export const loadTable = async (options: LoadTableOptions): Promise<'durable' | 'abandoned'> => {
  const { port, clock, request, stop, cut, onVerdict } = options
  const startedMs = clock.monotonicMs()
  let backoffMs: number = limits.firstBackoffMs
  let verdict = await port.load(request, cut)
  for (;;) {
    onVerdict(request.table, verdict)
    switch (verdict.kind) {
      case 'done':
        return 'durable'
      case 'committed':
        await waitUntilVisible(options)
        return 'durable'
      case 'refused':
        throw refusedRows(request, verdict)
      case 'fatal':
        throw refuse(verdict.code, `StarRocks table ${request.database}.${request.table}: ${verdict.reason}`)
      case 'poll':
      case 'retry':
    }
    if (clock.monotonicMs() - startedMs > limits.giveUpAfterMs) throw gaveUp(request, verdict)
    await clock.sleep(backoffMs, stop)
    if (stop.aborted) return 'abandoned'
    backoffMs = Math.min(backoffMs * 2, limits.longestBackoffMs)
    verdict = verdict.kind === 'retry' ? await port.load(request, cut) : await port.labelState(request, cut)
  }
}

/** Readers of the committed offset expect to see the rows; a server that stays slow to show them stops nobody. */
const waitUntilVisible = async ({ port, clock, request, stop, cut, onVerdict }: LoadTableOptions): Promise<void> => {
  const startedMs = clock.monotonicMs()
  while (!stop.aborted && clock.monotonicMs() - startedMs < limits.visibleWithinMs) {
    await clock.sleep(limits.firstBackoffMs, stop)
    const verdict = await port.labelState(request, cut)
    onVerdict(request.table, verdict)
    // `retry` stands for a label that was evicted since: it was committed before, so it is not sent again.
    if (verdict.kind !== 'committed' && verdict.kind !== 'poll') return
  }
}

const refusedRows = (request: LoadRequest, verdict: Extract<LoadVerdict, { kind: 'refused' }>): Stop =>
  refuse(
    'load-rows-refused',
    `StarRocks table ${request.database}.${request.table} refused rows of load ${request.label} (${verdict.reason}); nothing of it was loaded:\n${verdict.detail}`,
    { table: request.table, label: request.label },
  )

const gaveUp = (request: LoadRequest, verdict: { readonly reason: string }): Stop =>
  new Stop({
    code: 'load-gave-up',
    reason: 'failed',
    message: `StarRocks table ${request.database}.${request.table}: load ${request.label} did not end in ${limits.giveUpAfterMs} ms, at last: ${verdict.reason}`,
    context: { table: request.table, label: request.label },
  })
