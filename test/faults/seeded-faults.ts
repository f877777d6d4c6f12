import { Random } from '../../sim/engine/flow/random.ts'
import type { Fault, Plan } from './tcp-proxy.ts'

export type FaultChances = {
  /** Same seed, same faults, as far as the same chunks come. */
  readonly seed: number
  /** Of each chunk, 0 to 1. */
  readonly drop?: number
  readonly delay?: number
  readonly halve?: number
  readonly reset?: number
  readonly maxDelayMs?: number
  /** Asked at each chunk; faults come only while it says so. */
  readonly active?: () => boolean
}

/** Faults by chance: each connection has its own sequence, so what one does changes nothing for the others. */
export const seededFaults =
  ({ seed, drop = 0, delay = 0, halve = 0, reset = 0, maxDelayMs = 200, active = () => true }: FaultChances): Plan =>
  connection => {
    const random = new Random({ seed: BigInt(seed), step: connection })
    return ({ from, bytes }): Fault | null => {
      const [roll, place] = [random.fraction(), random.fraction()]
      if (!active()) return null
      const at = from + Math.floor(place * bytes.length)
      if (roll < drop) return { kind: 'drop', at }
      if (roll < drop + delay) return { kind: 'delay', ms: Math.ceil(place * maxDelayMs) }
      if (roll < drop + delay + halve) return { kind: 'halve' }
      if (roll < drop + delay + halve + reset) return { kind: 'reset', at }
      return null
    }
  }
