import { defineConfig } from 'vitest/config'
import { testStackFolder } from './test/pipeline/test-stack.ts'

// A test file is named after its cost: .unit needs nothing, .int needs real servers, .e2e the whole pipeline.
const setupFiles = ['test/seed/seed.ts']
const exclude = ['node_modules/**', '.data/**']
const { folder, owner } = testStackFolder()
const stack = {
  env: { SETTLE_DATA: folder, SETTLE_TEST_STACK: owner },
  globalSetup: ['test/pipeline/stack-of-this-run.ts'],
  // The servers are shared and the machine may be small: one file at a time.
  fileParallelism: false,
}
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.unit.test.ts'],
          exclude,
          setupFiles,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'int',
          setupFiles,
          include: ['**/*.int.test.ts'],
          exclude,
          testTimeout: 120_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 1 },
          ...stack,
        },
      },
      {
        test: {
          name: 'e2e',
          setupFiles,
          include: ['**/*.e2e.test.ts'],
          exclude,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 2 },
          ...stack,
        },
      },
    ],
  },
})
