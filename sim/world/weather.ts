import { Dice } from './dice.ts'

/** How bad everything is in one seed, drawn before it begins. A share is of all requests. */
export type Weather = {
  readonly partitions: number
  readonly users: number
  readonly settles: number
  /** How long things go wrong. */
  readonly stormMs: number
  /** Between two outputs of the engine, on average. */
  readonly outputMs: number
  /** Between two events of chaos, on average. */
  readonly chaosMs: number
  /** What may happen in this seed besides what always may. */
  readonly perils: ReadonlySet<Peril>
  readonly kafka: {
    readonly requestLost: number
    readonly answerLost: number
    readonly late: number
    readonly latencyMs: number
    readonly markerMs: number
  }
  readonly store: {
    readonly requestLost: number
    readonly answerLost: number
    readonly latencyMs: number
    /** A write reaches one replica long after the others, or never. */
    readonly replicaLate: number
    readonly replicaNever: number
    readonly readRepair: boolean
  }
  /** So many outputs the engine keeps behind the last that was acknowledged. */
  readonly margin: number
  readonly live: { readonly loss: number; readonly latencyMs: number }
  readonly barrierIntervalMs: number
  readonly cacheCells: number
  readonly batchRecords: number
}

const perils = ['power-loss', 'power-loss-of-all', 'skipped-version', 'lost-journal', 'clock-jump'] as const
type Peril = (typeof perils)[number]

const chances: Readonly<Record<Peril, number>> = {
  'power-loss': 0.5,
  'power-loss-of-all': 0.35,
  'skipped-version': 0.35,
  'lost-journal': 0.25,
  'clock-jump': 0.3,
}

export const weatherOf = (seed: number): Weather => {
  const dice = new Dice(seed, 'weather')
  const share = (...shares: readonly [number, ...number[]]): number => dice.pick(shares)
  return {
    partitions: dice.between(2, 4),
    users: dice.between(3, 8),
    settles: dice.between(2, 3),
    stormMs: dice.between(12_000, 26_000),
    outputMs: dice.between(80, 250),
    chaosMs: dice.between(500, 2500),
    perils: new Set(perils.filter(peril => dice.chance(chances[peril]))),
    kafka: {
      requestLost: share(0, 0.001, 0.01),
      answerLost: share(0, 0.001, 0.01),
      late: share(0, 0.001, 0.005),
      latencyMs: share(2, 5, 20),
      markerMs: share(0, 5, 50),
    },
    store: {
      requestLost: share(0, 0.005, 0.03),
      answerLost: share(0, 0.005, 0.03),
      latencyMs: share(1, 4, 15),
      replicaLate: share(0, 0.05, 0.25),
      replicaNever: share(0, 0.02, 0.15),
      readRepair: dice.chance(0.5),
    },
    live: { loss: share(0, 0.1, 0.5), latencyMs: share(1, 10, 60) },
    barrierIntervalMs: share(100, 250, 600),
    cacheCells: share(4, 12, 1000),
    batchRecords: share(3, 20, 500),
    margin: share(0, 2, 5),
  }
}
