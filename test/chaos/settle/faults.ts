import type { Random } from '../../../sim/engine/flow/random.ts'
import { drawLegFault, type LegBits } from '../draw-leg-fault.ts'
import type { LegFault } from '../leg.ts'
import { type MenuItem, oneOf } from '../plan.ts'

export const serviceKinds = ['settle', 'repartition', 'bridge'] as const
export type ServiceKind = (typeof serviceKinds)[number]

export const nodeNumbers = [1, 2, 3] as const
export type NodeNumber = (typeof nodeNumbers)[number]

/** settle's lines: to Kafka, and to each node of the store. */
export type LegName = 'kafka' | `cql-${NodeNumber}`

/** Which of the processes of its kind that run at that moment: counted around. */
type Hit = { readonly service: ServiceKind; readonly nth: number }

/** What may befall the services between the log and the store, the store's nodes, the broker, and settle's lines. */
export type SettleFault =
  | ({ readonly kind: 'kill' | 'stop' } & Hit)
  | ({ readonly kind: 'freeze'; readonly forMs: number } & Hit)
  /** More of settle for a while, ended by a signal. */
  | { readonly kind: 'scale-out'; readonly by: number; readonly forMs: number; readonly end: 'SIGKILL' | 'SIGTERM' }
  /** All of settle but one are stopped for a while. */
  | { readonly kind: 'scale-in'; readonly stays: number; readonly forMs: number }
  /** Somebody joins settle's group, reads nothing, and leaves. */
  | { readonly kind: 'rebalance'; readonly forMs: number }
  /** SIGKILL, and the start again after a while. */
  | { readonly kind: 'node-kill'; readonly node: NodeNumber; readonly downMs: number }
  | { readonly kind: 'node-freeze'; readonly node: NodeNumber; readonly forMs: number }
  /** All nodes but one are frozen: no quorum, and writes wait. */
  | { readonly kind: 'quorum-loss'; readonly stays: NodeNumber; readonly forMs: number }
  | { readonly kind: 'broker-kill'; readonly downMs: number }
  | { readonly kind: 'broker-freeze'; readonly forMs: number }
  | { readonly kind: 'cut'; readonly leg: LegName; readonly fault: LegFault }

/** Production's default: who is silent for longer is taken for dead. */
export const sessionTimeoutMs = 6000

const node = (random: Random): NodeNumber => oneOf(random, nodeNumbers)
const nth = (random: Random): number => random.below(60)
/** Settle is what is tried; the others bring it records that come in fits and starts. */
const service = (random: Random): ServiceKind => oneOf(random, ['settle', 'settle', 'settle', 'repartition', 'bridge'])

/** Weights add up to 100. Over 180 s and 60 faults a weight of 5 is three of its kind. */
export const settleMenu: readonly MenuItem<SettleFault>[] = [
  { weight: 16, spacingMs: 12_000, draw: random => ({ kind: 'kill', service: 'settle', nth: nth(random) }) },
  { weight: 6, spacingMs: 14_000, draw: random => ({ kind: 'kill', service: other(random), nth: nth(random) }) },
  { weight: 8, spacingMs: 9000, draw: random => ({ kind: 'stop', service: service(random), nth: nth(random) }) },
  { weight: 8, spacingMs: 4000, draw: random => freeze(random, service(random), [100, 3000]) },
  // Past the session timeout: others take over its partitions, and it wakes up in the middle of a write.
  { weight: 8, spacingMs: 18_000, draw: random => freeze(random, 'settle', [sessionTimeoutMs + 500, 15_000]) },
  { weight: 3, spacingMs: 40_000, draw: random => freeze(random, other(random), [sessionTimeoutMs + 500, 12_000]) },
  { weight: 5, spacingMs: 40_000, draw: random => scaleOut(random) },
  { weight: 4, spacingMs: 50_000, draw: random => scaleIn(random) },
  { weight: 4, spacingMs: 20_000, draw: random => ({ kind: 'rebalance', forMs: random.between(500, 4000) }) },
  { weight: 8, spacingMs: 30_000, draw: random => nodeKill(random) },
  { weight: 8, spacingMs: 10_000, draw: random => nodeFreeze(random) },
  { weight: 2, spacingMs: 80_000, draw: random => quorumLoss(random) },
  { weight: 4, spacingMs: 50_000, draw: random => ({ kind: 'broker-kill', downMs: random.between(0, 3000) }) },
  { weight: 4, spacingMs: 20_000, draw: random => ({ kind: 'broker-freeze', forMs: random.between(200, 3000) }) },
  { weight: 12, spacingMs: 0, draw: random => cut(random) },
]

const other = (random: Random): ServiceKind => oneOf<ServiceKind>(random, ['repartition', 'bridge'])

const freeze = (random: Random, hit: ServiceKind, [least, most]: readonly [number, number]): SettleFault => ({
  ...{ kind: 'freeze', service: hit, nth: nth(random) },
  forMs: random.between(least, most),
})

const scaleOut = (random: Random): SettleFault => ({
  ...{ kind: 'scale-out', by: random.between(1, 2), forMs: random.between(8000, 20_000) },
  end: oneOf(random, ['SIGKILL', 'SIGTERM']),
})

const scaleIn = (random: Random): SettleFault => ({
  ...{ kind: 'scale-in', stays: nth(random) },
  forMs: random.between(8000, 15_000),
})

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
  switch (fault.kind) {
    case 'kill':
    case 'stop':
      return `${fault.service}-${fault.kind}`
    case 'freeze':
      return `${fault.service}-freeze${fault.forMs > sessionTimeoutMs ? ' past its session' : ''}`
    case 'cut':
      return `${fault.leg === 'kafka' ? 'kafka' : 'cql'} ${fault.fault.kind}`
    default:
      return fault.kind
  }
}
