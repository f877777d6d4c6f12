import { durability } from './bridge/durability.ts'
import { edges } from './bridge/edges.ts'
import { leading } from './bridge/leading.ts'
import { operators } from './bridge/operators.ts'
import { order } from './bridge/order.ts'
import { replays } from './bridge/replays.ts'
import { strangers } from './bridge/strangers.ts'
import { time } from './bridge/time.ts'
import type { Mutant } from './mutant.ts'

/** The guards of the bridge, one by one. */
export const bridgeMutants: readonly Mutant[] = [
  ...order,
  ...strangers,
  ...replays,
  ...durability,
  ...leading,
  ...time,
  ...operators,
  ...edges,
]
