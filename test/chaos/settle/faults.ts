import type { Random } from '../../../sim/engine/flow/random.ts'
import { drawLegFault, type LegBits } from '../draw-leg-fault.ts'
import type { LegFault } from '../leg.ts'
import { type MenuItem, oneOf } from '../plan.ts'
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
  type Whose,
} from '../service-faults.ts'

export type ServiceKind = 'settle' | 'repartition' | 'bridge'

export const nodeNumbers = [1, 2, 3] as const
export type NodeNumber = (typeof nodeNumbers)[number]

/** settle's lines: to Kafka, and to each node of the store. */
export type LegName = 'kafka' | `cql-${NodeNumber}`

/** What may befall the services between the log and the store, the store's nodes, the broker, and settle's lines. */
export type SettleFault =
  | ServiceFault<ServiceKind>
  /** SIGKILL, and the start again after a while. */
  | { readonly kind: 'node-kill'; readonly node: NodeNumber; readonly downMs: number }
  | { readonly kind: 'node-freeze'; readonly node: NodeNumber; readonly forMs: number }
  /** All nodes but one are frozen: no quorum, and writes wait. */
  | { readonly kind: 'quorum-loss'; readonly stays: NodeNumber; readonly forMs: number }
  | { readonly kind: 'broker-kill'; readonly downMs: number }
  | { readonly kind: 'broker-freeze'; readonly forMs: number }
  | { readonly kind: 'cut'; readonly leg: LegName; readonly fault: LegFault }

const node = (random: Random): NodeNumber => oneOf(random, nodeNumbers)
/** Settle is what is tried; the others bring it records that come in fits and starts. */
const service = (random: Random): ServiceKind => oneOf(random, ['settle', 'settle', 'settle', 'repartition', 'bridge'])

/** Between two faults on average: some are skipped. */
export const meanGapMs = 3600

/** As long as a fail-over takes that nothing stands in the way of: the session timeout, and the new owner's first writes. */
const failoverMs = 10_000

/** What a fail-over waits for too, should it come meanwhile: settle's other processes, the broker, the quorum. */
const standsInTheWay = true

/** Weights add up to 100. Over 180 s and 50 faults a weight of 5 is two or three of its kind. */
export const settleMenu: readonly MenuItem<SettleFault>[] = [
  // Most of the kills are left alone, to tell how long a fail-over takes; the others come into anything.
  { weight: 30, spacingMs: 14_000, aloneMs: failoverMs, draw: random => kill(random, 'settle', 'owner') },
  { weight: 5, spacingMs: 25_000, standsInTheWay, draw: random => kill(random, 'settle', whose(random)) },
  { weight: 3, spacingMs: 14_000, draw: random => kill(random, other(random)) },
  { weight: 8, spacingMs: 9000, standsInTheWay, draw: random => stop(random, service(random)) },
  { weight: 7, spacingMs: 4000, standsInTheWay, draw: random => freeze(random, service(random), [100, 3000]) },
  { weight: 10, spacingMs: 18_000, standsInTheWay, draw: random => freezePastSession(random, 'settle') },
  { weight: 2, spacingMs: 40_000, draw: random => freezePastSession(random, other(random), 12_000) },
  { weight: 3, spacingMs: 40_000, draw: random => scaleOut(random, 'settle') },
  { weight: 4, spacingMs: 50_000, standsInTheWay, draw: random => scaleIn(random, 'settle') },
  { weight: 4, spacingMs: 20_000, standsInTheWay, draw: random => rebalance(random, 'settle') },
  { weight: 5, spacingMs: 30_000, draw: random => nodeKill(random) },
  { weight: 3, spacingMs: 10_000, draw: random => nodeFreeze(random) },
  { weight: 3, spacingMs: 80_000, standsInTheWay, draw: random => quorumLoss(random) },
  {
    weight: 4,
    spacingMs: 50_000,
    standsInTheWay,
    draw: random => ({ kind: 'broker-kill', downMs: random.between(0, 3000) }),
  },
  {
    weight: 4,
    spacingMs: 20_000,
    standsInTheWay,
    draw: random => ({ kind: 'broker-freeze', forMs: random.between(200, 3000) }),
  },
  { weight: 5, spacingMs: 0, draw: random => cut(random) },
]

const whose = (random: Random): Whose => (random.below(4) === 0 ? 'any' : 'owner')
const other = (random: Random): ServiceKind => oneOf<ServiceKind>(random, ['repartition', 'bridge'])

const nodeKill = (random: Random): SettleFault => ({
  ...{ kind: 'node-kill', node: node(random) },
  downMs: random.between(0, 8000),
})

const nodeFreeze = (random: Random): SettleFault => ({
  ...{ kind: 'node-freeze', node: node(random) },
  forMs: random.between(200, 8000),
})

const quorumLoss = (random: Random): SettleFault => ({
  ...{ kind: 'quorum-loss', stays: node(random) },
  forMs: random.between(1000, 8000),
})

const usualBits: Readonly<Record<'kafka' | 'cql', LegBits>> = {
  kafka: { 'to target': 12, 'to client': 18, oneOfToTarget: 2 },
  cql: { 'to target': 18, 'to client': 15, oneOfToTarget: 2 },
}

const cut = (random: Random): SettleFault => {
  const leg = oneOf<LegName>(random, ['kafka', 'kafka', 'cql-1', 'cql-2', 'cql-3'])
  return { kind: 'cut', leg, fault: drawLegFault(random, usualBits[leg === 'kafka' ? 'kafka' : 'cql']) }
}

/** As it is counted. */
export const kindOf = (fault: SettleFault): string => {
  if (isServiceFault(fault)) return serviceFaultKind(fault)
  switch (fault.kind) {
    case 'cut':
      return `${fault.leg === 'kafka' ? 'kafka' : 'cql'} ${fault.fault.kind}`
    default:
      return fault.kind
  }
}
