import type { Random } from '../../../sim/engine/flow/random.ts'
import { drawLegFault, type LegBits } from '../draw-leg-fault.ts'
import type { LegFault } from '../leg.ts'
import { type MenuItem, oneOf } from '../plan.ts'

/** Which of the bridges: the one that led last, or another. */
export type BridgeTarget = 'leader' | 'standby'
export type LegName = 'live' | 'replay' | 'kafka'

/** What may befall a bridge, its engine, its broker and the lines between them. */
export type BridgeFault =
  | { readonly kind: 'bridge-kill'; readonly target: BridgeTarget }
  | { readonly kind: 'bridge-stop'; readonly target: BridgeTarget }
  | { readonly kind: 'bridge-freeze'; readonly target: BridgeTarget; readonly forMs: number }
  /** One more bridge for a while, ended by a signal. */
  | { readonly kind: 'bridge-extra'; readonly forMs: number; readonly end: 'SIGKILL' | 'SIGTERM' }
  /** `lossPercent`: how much of its live frames the next life of the engine loses. */
  | { readonly kind: 'engine-kill'; readonly lossPercent: number }
  | { readonly kind: 'engine-stop'; readonly lossPercent: number }
  | { readonly kind: 'engine-freeze'; readonly forMs: number }
  /** SIGKILL at the moment of an ACK, all bridges frozen until it is up and was asked for what was acknowledged. */
  | { readonly kind: 'broker-kill' }
  | { readonly kind: 'broker-freeze'; readonly forMs: number }
  /** All bridges frozen at the moment of an ACK until the log has shown what was acknowledged. */
  | { readonly kind: 'ack-audit' }
  | { readonly kind: 'cut'; readonly leg: LegName; readonly fault: LegFault }

/** What the bridges' group is told: a bridge that is silent for longer no longer leads. */
export const sessionTimeoutMs = 3000

const target = (random: Random): BridgeTarget => (random.below(4) === 0 ? 'standby' : 'leader')
const lossPercent = (random: Random): number => oneOf(random, [0, 1, 5, 20, 60])

/** Weights add up to 100. Over 120 s and 170 faults a weight of 1 is one or two of its kind. */
export const bridgeMenu: readonly MenuItem<BridgeFault>[] = [
  { weight: 4, spacingMs: 9000, draw: random => ({ kind: 'bridge-kill', target: target(random) }) },
  { weight: 3, spacingMs: 14_000, draw: random => ({ kind: 'bridge-stop', target: target(random) }) },
  { weight: 4, spacingMs: 4000, draw: random => freezeBridge(random, [100, 2500]) },
  // Past the session timeout: another takes over, and this one wakes up believing that it leads.
  { weight: 2, spacingMs: 25_000, draw: random => freezeBridge(random, [sessionTimeoutMs + 500, 15_000]) },
  { weight: 2, spacingMs: 20_000, draw: random => extraBridge(random) },
  { weight: 4, spacingMs: 10_000, draw: random => ({ kind: 'engine-kill', lossPercent: lossPercent(random) }) },
  { weight: 3, spacingMs: 15_000, draw: random => ({ kind: 'engine-stop', lossPercent: lossPercent(random) }) },
  { weight: 5, spacingMs: 4000, draw: random => ({ kind: 'engine-freeze', forMs: random.between(50, 1200) }) },
  { weight: 2, spacingMs: 30_000, draw: () => ({ kind: 'broker-kill' }) },
  { weight: 2, spacingMs: 12_000, draw: random => ({ kind: 'broker-freeze', forMs: random.between(200, 3000) }) },
  { weight: 12, spacingMs: 1500, draw: () => ({ kind: 'ack-audit' }) },
  { weight: 57, spacingMs: 0, draw: random => cut(random) },
]

const freezeBridge = (random: Random, [least, most]: readonly [number, number]): BridgeFault => ({
  kind: 'bridge-freeze',
  target: target(random),
  forMs: random.between(least, most),
})

const extraBridge = (random: Random): BridgeFault => ({
  kind: 'bridge-extra',
  forMs: random.between(4000, 12_000),
  end: oneOf(random, ['SIGKILL', 'SIGTERM']),
})

/** How many bits of bytes pass on a leg within seconds. To the engine's PUB goes nothing but a handshake. */
const usualBits: Readonly<Record<LegName, LegBits>> = {
  live: { 'to target': 6, 'to client': 17, oneOfToTarget: 5 },
  replay: { 'to target': 9, 'to client': 16, oneOfToTarget: 2 },
  kafka: { 'to target': 17, 'to client': 11, oneOfToTarget: 2 },
}

const cut = (random: Random): BridgeFault => {
  const leg = oneOf<LegName>(random, ['live', 'replay', 'replay', 'kafka', 'kafka', 'kafka'])
  return { kind: 'cut', leg, fault: drawLegFault(random, usualBits[leg]) }
}

/** As it is counted. */
export const kindOf = (fault: BridgeFault): string => {
  switch (fault.kind) {
    case 'cut':
      return `${fault.leg} ${fault.fault.kind}`
    case 'bridge-freeze':
      return fault.forMs > sessionTimeoutMs ? 'bridge-freeze past its session' : fault.kind
    default:
      return fault.kind
  }
}
