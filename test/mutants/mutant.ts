/** A guard taken out, and the test that must notice. */
export type Mutant = {
  /** What is no longer done, in words. */
  readonly name: string
  /** Source file, from the root of the repository. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
  readonly caughtBy: {
    readonly project: 'unit' | 'int'
    readonly file: string
    /** Part of the test's full name, as `vitest -t` takes it. */
    readonly test: string
  }
}
