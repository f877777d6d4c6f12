/** What vitest's JSON reporter writes, as far as it is read here. */
export type TestReport = {
  readonly testResults: readonly {
    readonly message: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: 'passed' | 'failed' | 'skipped' | 'pending' | 'todo' | 'disabled'
      readonly failureMessages: readonly string[] | null
    }[]
  }[]
}

export type Verdict =
  | { readonly kind: 'green' }
  | {
      readonly kind: 'red'
      readonly why: string
      /** All that it says. */
      readonly said: string
    }
  /** The test did not judge: it was not found, or did not run. */
  | { readonly kind: 'none'; readonly why: string }

const lineOf = (text: string): string => text.split('\n', 1)[0] ?? ''

/** What a test, by a part of its full name, says. A run that failed otherwise is no verdict of the test. */
export const verdictOf = (report: TestReport, test: string): Verdict => {
  const found = report.testResults.flatMap(({ assertionResults }) => assertionResults)
  const broken = report.testResults.find(({ message }) => message !== '')
  const ran = found.filter(({ fullName, status }) => fullName.includes(test) && /^(passed|failed)$/.test(status))
  const failed = ran.find(({ status }) => status === 'failed')
  if (failed) {
    const said = failed.failureMessages?.join('\n') ?? ''
    return { kind: 'red', why: lineOf(said), said }
  }
  if (broken) return { kind: 'none', why: `the file did not run: ${lineOf(broken.message)}` }
  return ran.length > 0 ? { kind: 'green' } : { kind: 'none', why: `no test ran that is called: ${test}` }
}
