/** A guard taken out, and the test that must notice. */
export type Mutant = {
  /** What is no longer done, in words. */
  readonly name: string
  /** Source file, from the root of the repository. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
  /** What of docs/design.md it breaks: a chapter, or its number in the chapter on settle. */
  readonly rule?: string
  readonly caughtBy: {
    readonly project: 'unit' | 'int'
    readonly file: string
    /** Part of the test's full name, as `vitest -t` takes it. */
    readonly test: string
    /** Part of what the test says when it fails: one that fails by anything else, such as a crash, has not noticed. */
    readonly check?: string
  }
}
