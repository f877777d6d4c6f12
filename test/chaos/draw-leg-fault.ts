import type { Random } from '../../sim/engine/flow/random.ts'
import type { Direction } from '../faults/tcp-proxy.ts'
import type { LegFault } from './leg.ts'

/**
 * How many bits of bytes pass on a leg within seconds: a fault that waits for more would never come. One of so many
 * faults hits what goes to the target.
 */
export type LegBits = Readonly<Record<Direction, number>> & { readonly oneOfToTarget: number }

export const drawLegFault = (random: Random, bits: LegBits): LegFault => {
  const direction: Direction = random.below(bits.oneOfToTarget) === 0 ? 'to target' : 'to client'
  // Few bytes hit handshakes, requests and the beginnings of answers, many the middle of a batch.
  const at = { direction, afterBytes: Math.floor(2 ** (random.fraction() * bits[direction])) }
  switch (random.below(6)) {
    case 0:
    case 1:
      return { ...at, kind: 'reset' }
    case 2:
      return { ...at, kind: 'halve' }
    case 3:
      return { ...at, kind: 'drop', forMs: random.between(100, 4000) }
    case 4:
      return { ...at, kind: 'hold', forMs: random.between(100, 8000) }
    default:
      return { ...at, kind: 'delay', forMs: random.between(20, 1500) }
  }
}
