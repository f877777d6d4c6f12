import type { Mutant } from '../mutant.ts'
import { byJson, byLink } from './places.ts'

/** What comes from outside. */
export const edges: readonly Mutant[] = [
  {
    name: 'integers of JSON go through Number',
    file: 'bridge/dialects/exact-json.ts',
    find: '(integerOf(source) ?? new OtherNumber(source))',
    replace: '(Number.isInteger(value) ? BigInt(value) : new OtherNumber(source))',
    caughtBy: byJson('an integer beyond what a Number holds comes through exact'),
  },
  {
    name: 'of a name given twice the last counts',
    file: 'bridge/dialects/exact-json.ts',
    find: 'if (names?.has(name)) return',
    replace: 'if (names === undefined) return',
    caughtBy: byJson('a field twice'),
  },
  {
    name: 'anybody is spoken to in the clear',
    file: 'bridge/zeromq.ts',
    find: '!loopback.test(value)',
    replace: "value === ''",
    caughtBy: byLink('speaks in the clear to loopback only, unless told otherwise'),
  },
]
