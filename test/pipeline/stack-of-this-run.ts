import type { TestProject } from 'vitest/node'
import { clean } from '../../local/stack.ts'

/**
 * The servers are started by the first test that asks for them (`up` finds those that run); here they are ended. Their
 * folder is known to the workers as SETTLE_DATA, see vitest.config.ts.
 */
export default function stackOfThisRun(project: TestProject): (() => Promise<void>) | undefined {
  const { SETTLE_DATA, SETTLE_TEST_STACK } = project.config.env
  if (SETTLE_TEST_STACK !== 'this run') return undefined
  return async () => {
    await clean({ env: { ...process.env, SETTLE_DATA } })
  }
}
