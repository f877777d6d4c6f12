export type FaultOutcome = 'applied' | 'skipped'

/** What a target does with a fault that found nobody to hit. */
export const outcomeOf = (hit: boolean | undefined): FaultOutcome => (hit ? 'applied' : 'skipped')

type Count = { applied: number; skipped: number }

/** Follows the faults under way, and counts how they came out. */
export class FaultCount {
  readonly byKind = new Map<string, Count>()
  readonly #underWay = new Set<Promise<void>>()
  #failure: unknown = null

  get applied(): number {
    return [...this.byKind.values()].reduce((sum, { applied }) => sum + applied, 0)
  }

  follow(kind: string, fault: Promise<FaultOutcome>): void {
    const count = this.byKind.get(kind) ?? { applied: 0, skipped: 0 }
    this.byKind.set(kind, count)
    const followed = fault
      .then(outcome => void count[outcome]++)
      .catch((error: unknown) => void (this.#failure ??= error))
      .finally(() => this.#underWay.delete(followed))
    this.#underWay.add(followed)
  }

  /** The run itself is broken when a fault could not be made. */
  throwFailure(): void {
    if (this.#failure) throw this.#failure
  }

  /** When all of them are over. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay)
    this.throwFailure()
  }
}
