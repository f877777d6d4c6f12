import { setTimeout as pause } from 'node:timers/promises'

/** A run at a fixed rate, whatever the other side does. */
export type Pace = { readonly count: number; readonly perSecond: number }

/** From the question to the first output: everything is made ready meanwhile. */
export const leadMs = 3_000

/** When the `index`th output of a run is due. */
export const dueMsOf = (startMs: number, index: number, { perSecond }: Pace): number =>
  startMs + (index * 1000) / perSecond

/** The engine's time of that moment, int64 µs. */
export const timeUsOf = (ms: number): bigint => BigInt(Math.round((performance.timeOrigin + ms) * 1000))

/** Calls `act` with each span of outputs that became due, in order, one call at a time, until all were. */
export const keepPace = async (
  startMs: number,
  pace: Pace,
  act: (from: number, to: number) => Promise<void> | void,
): Promise<void> => {
  for (let done = 0; done < pace.count; ) {
    const sinceMs = performance.now() - startMs
    const due = sinceMs < 0 ? 0 : Math.min(pace.count, Math.floor((sinceMs * pace.perSecond) / 1000) + 1)
    if (due > done) await act(done, due)
    else await pause(1)
    done = Math.max(done, due)
  }
}
