import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { testStackFolder } from './test/pipeline/test-stack.ts'

// A test file is named after its cost: .unit needs nothing, .int needs real servers, .e2e the whole pipeline, .alone the
// machine to itself.
const setupFiles = ['test/seed/seed.ts']
const exclude = ['node_modules/**', '.data/**']
const { folder, owner } = testStackFolder()
const stack = {
  env: { SETTLE_DATA: folder, SETTLE_TEST_STACK: owner },
  globalSetup: ['test/pipeline/stack-of-this-run.ts'],
}
/**
 * Files at a time. Those of int wait for servers more than they compute, so one more than there are cores; they share the
 * servers, on which each has streams of its own. Unit tests fill what they leave.
 */
const maxWorkers = availableParallelism() + 1
// Every worker, and every service that a test starts, is compiled once and not each time.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules', '.cache', 'node')
export default defineConfig({
  test: {
    maxWorkers,
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
          // Whole pipelines, of six processes each: after the others, and two at a time.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          // Tests of bad input mostly wait for servers that are not there.
          maxConcurrency: 10,
          ...stack,
        },
      },
      {
        test: {
          name: 'alone',
          setupFiles,
          include: ['**/*.alone.test.ts'],
          exclude,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // What must be over within seconds on servers of its own: after all others, one at a time.
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
          ...stack,
        },
      },
    ],
  },
})
