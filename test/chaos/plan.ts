import { Random } from '../../sim/engine/flow/random.ts'

/** One kind of fault that may be drawn. */
export type MenuItem<F> = {
  /** How often it is drawn, against the others. */
  readonly weight: number
  /** Two of this kind lie at least this far apart: what takes long to mend must leave time for progress. */
  readonly spacingMs: number
  /** For so long after it nothing is drawn that stands in its way: what it set going is to be seen by itself. */
  readonly aloneMs?: number
  /** Not drawn while another is left alone. */
  readonly standsInTheWay?: true
  readonly draw: (random: Random) => F
}

export type Planned<F> = { readonly atMs: number; readonly fault: F }

/**
 * All faults of a run, drawn before it begins: the same seed, length and menu give the same plan. Gaps are random
 * around their mean; a kind that came too recently, or stands in the way of one that is left alone, is drawn again.
 */
export const drawPlan = <F>({
  seed,
  durationMs,
  meanGapMs,
  menu,
}: {
  readonly seed: bigint
  readonly durationMs: number
  readonly meanGapMs: number
  readonly menu: readonly MenuItem<F>[]
}): readonly Planned<F>[] => {
  const plan: Planned<F>[] = []
  const lastMs = new Map<MenuItem<F>, number>()
  let atMs = 0
  let aloneUntilMs = 0
  for (let step = 0; ; step++) {
    const random = new Random({ seed, step })
    atMs += random.between(1, 2 * meanGapMs)
    if (atMs >= durationMs) return plan
    const open = menu.filter(
      item =>
        atMs - (lastMs.get(item) ?? -item.spacingMs) >= item.spacingMs &&
        (atMs >= aloneUntilMs || !item.standsInTheWay),
    )
    const item = drawItem(random, open)
    if (!item) continue
    lastMs.set(item, atMs)
    aloneUntilMs = Math.max(aloneUntilMs, atMs + (item.aloneMs ?? 0))
    plan.push({ atMs, fault: item.draw(random) })
  }
}

const drawItem = <F>(random: Random, menu: readonly MenuItem<F>[]): MenuItem<F> | undefined => {
  const sum = menu.reduce((total, { weight }) => total + weight, 0)
  let left = random.fraction() * sum
  return menu.find(({ weight }) => (left -= weight) < 0)
}

export const oneOf = <T>(random: Random, choices: readonly [T, ...T[]]): T =>
  choices[random.below(choices.length)] ?? choices[0]
