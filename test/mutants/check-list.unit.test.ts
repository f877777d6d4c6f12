import { expect, test } from 'vitest'
import { mutated } from './check-list.ts'
import type { Mutant } from './mutant.ts'

const mutant: Mutant = {
  name: 'nobody looks',
  file: 'a.ts',
  find: 'if (bad) stop()',
  replace: "say('$&')",
  caughtBy: { project: 'unit', file: 'a.unit.test.ts', test: 'stops' },
}

test('a mutant is applied as it is written, where its place is the only one', () => {
  expect(mutated('go()\nif (bad) stop()\n', mutant)).toBe("go()\nsay('$&')\n")
  expect(mutated('go()\n', mutant)).toBeNull()
  expect(mutated('if (bad) stop()\nif (bad) stop()\n', mutant)).toBeNull()
})
