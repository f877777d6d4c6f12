import type { FaultKind } from '../../../local/starrocks/faults.ts'
import type { Random } from '../../../sim/engine/flow/random.ts'
import type { MenuItem } from '../plan.ts'
import {
  freeze,
  freezePastSession,
  isServiceFault,
  kill,
  rebalance,
  scaleIn,
  scaleOut,
  type ServiceFault,
  serviceFaultKind,
  stop,
} from '../service-faults.ts'

/** What is tried. */
export type SinkKind = 'load' | 'archive'

/** What StarRocks does to so many of the loads that come next, as its stand-in is told. */
export type StarRocksFault = { readonly kind: FaultKind; readonly times: number; readonly ms?: number }

/** What may befall the two sinks, the broker before them, and StarRocks and the disk behind them. */
export type SinkFault =
  | ServiceFault<SinkKind>
  | { readonly kind: 'broker-kill'; readonly downMs: number }
  | { readonly kind: 'broker-freeze'; readonly forMs: number }
  | { readonly kind: 'starrocks'; readonly fault: StarRocksFault }
  /** Its doors are gone for so long. */
  | { readonly kind: 'frontend-restart'; readonly downMs: number }
  /** Where the archive writes there is no room for so long. */
  | { readonly kind: 'disk-full'; readonly forMs: number }

const either = (random: Random): SinkKind => (random.below(2) === 0 ? 'load' : 'archive')

/** Strikes a few loads, whatever their table: of each flush some, and of the same one again when it is sent again. */
const sudden = (weight: number, kind: FaultKind): MenuItem<SinkFault> => ({
  weight,
  spacingMs: 5000,
  draw: random => ({ kind: 'starrocks', fault: { kind, times: random.between(1, 4) } }),
})

const lasting = (weight: number, kind: FaultKind, mostMs: number): MenuItem<SinkFault> => ({
  weight,
  spacingMs: 8000,
  draw: random => ({
    kind: 'starrocks',
    fault: { kind, times: random.between(1, 2), ms: random.between(300, mostMs) },
  }),
})

/** Left out of the menu where no disk can be made full. */
export const diskFull: MenuItem<SinkFault> = {
  weight: 6,
  spacingMs: 25_000,
  draw: random => ({ kind: 'disk-full', forMs: random.between(3000, 8000) }),
}

/** Weights add up to 100. Over 120 s and 48 faults a weight of 5 is two or three of its kind. */
export const sinkMenu: readonly MenuItem<SinkFault>[] = [
  { weight: 7, spacingMs: 8000, draw: random => kill(random, 'load') },
  { weight: 7, spacingMs: 8000, draw: random => kill(random, 'archive') },
  { weight: 4, spacingMs: 9000, draw: random => stop(random, either(random)) },
  { weight: 4, spacingMs: 4000, draw: random => freeze(random, either(random), [100, 3000]) },
  { weight: 5, spacingMs: 18_000, draw: random => freezePastSession(random, 'load') },
  { weight: 5, spacingMs: 18_000, draw: random => freezePastSession(random, 'archive') },
  { weight: 4, spacingMs: 40_000, draw: random => scaleOut(random, either(random)) },
  { weight: 4, spacingMs: 45_000, draw: random => scaleIn(random, either(random)) },
  { weight: 4, spacingMs: 20_000, draw: random => rebalance(random, either(random)) },
  { weight: 4, spacingMs: 50_000, draw: random => ({ kind: 'broker-kill', downMs: random.between(0, 3000) }) },
  { weight: 2, spacingMs: 20_000, draw: random => ({ kind: 'broker-freeze', forMs: random.between(200, 3000) }) },
  sudden(5, 'drop-before-commit'),
  sudden(5, 'drop-after-commit'),
  sudden(5, 'lost-label'),
  sudden(4, 'unknown-status'),
  sudden(5, 'full-disk'),
  lasting(5, 'publish-timeout', 5000),
  lasting(5, 'publish-delay', 5000),
  lasting(5, 'slow', 3000),
  { weight: 5, spacingMs: 20_000, draw: random => ({ kind: 'frontend-restart', downMs: random.between(200, 6000) }) },
  diskFull,
]

/** As it is counted. */
export const kindOf = (fault: SinkFault): string => {
  if (isServiceFault(fault)) return serviceFaultKind(fault)
  switch (fault.kind) {
    case 'starrocks':
      return `starrocks ${fault.fault.kind}`
    case 'frontend-restart':
      return 'starrocks frontend-restart'
    case 'disk-full':
      return 'archive disk-full'
    case 'broker-kill':
    case 'broker-freeze':
      return fault.kind
  }
}

/** Kinds that were drawn and never struck: what they would have shown was not shown. */
export const neverStruck = (
  byKind: ReadonlyMap<string, { readonly applied: number; readonly skipped: number }>,
): readonly string[] =>
  [...byKind].flatMap(([kind, { applied, skipped }]) =>
    applied > 0 ? [] : [`${kind} was drawn ${skipped} times and struck nobody`],
  )
