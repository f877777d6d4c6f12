import { describe, expect, test } from 'vitest'
import { runTold } from '../testing/run-told.ts'
import { displayAmount } from './display.ts'

const chain = 'ab'.repeat(32)
const said = ['--who', 'ann', '--why', 'INC-1']
const gap = ['gap', ...said, '--after', '7/42/120']
const correct = [
  ...['correct', ...said, '--user', '42', '--asset', 'BTC'],
  ...['--version', '9', '--available', '1', '--frozen', '0'],
]
const admit = ['admit', ...said, '--pos', '1700000000000000']
/** A line with one argument changed, or left out. */
const line = (base: readonly string[], name: string, value: string | null): readonly string[] => {
  const at = base.indexOf(name)
  if (at < 0) return value === null ? base : [...base, name, value]
  return [...base.slice(0, at), ...(value === null ? [] : [name, value]), ...base.slice(at + 2)]
}

describe('an argument that is wrong ends with exit 2, and is named with its value and the way out', () => {
  test.each<readonly [string, readonly string[], string, string | null, string]>([
    ['who', gap, '--who', null, "required option '--who <name>' not specified"],
    ['who', gap, '--who', '  ', "option '--who <name>' argument '  ' is invalid. It must say who gives the command"],
    ['why', correct, '--why', null, "required option '--why <text>' not specified"],
    ['why', admit, '--why', 'a\nb', 'It must say why: an incident, a ticket, a decision, in one line'],
    ['why', admit, '--why', 'x'.repeat(1001), 'at most 1000 characters'],
    ['id', gap, '--id', 'a b', "argument 'a b' is invalid. It must be 1 to 100 of a–z"],
    ['wait', gap, '--wait-ms', 'soon', 'a number of milliseconds: digits only, 0 to 3600000'],
    ['wait', gap, '--wait-ms', '3600001', "argument '3600001' is invalid"],
    ['after', gap, '--after', null, "required option '--after <epoch/random/seq>' not specified"],
    ['after', gap, '--after', '7/42', 'It must be <epoch>/<random>/<seq>'],
    ['after', gap, '--after', '7/x/1', '<epoch>/<random>/<seq>, each a number: digits only'],
    ['after', gap, '--after', '7/42/18446744073709551616', '0 to 18446744073709551615'],
    ['to', gap, '--to', '7/42/121', 'the chain in 64 hexadecimal digits'],
    ['to', gap, '--to', `7/42/121/${chain}ff`, 'the chain in 64 hexadecimal digits'],
    ['user', correct, '--user', 'bob', "argument 'bob' is invalid. It must be the id of a user: digits only"],
    ['user', correct, '--user', null, "required option '--user <id>' not specified"],
    ['asset', correct, '--asset', null, "required option '--asset <name or id>' not specified"],
    ['version', correct, '--version', '0', "argument '0' is invalid"],
    ['available', correct, '--available', '1.5', "whole numbers of the asset's smallest unit, without a point"],
    ['available', correct, '--available', '-1', 'digits only, 0 to 9223372036854775807'],
    ['available', correct, '--available', '1e3', 'digits only'],
    ['frozen', correct, '--frozen', '9223372036854775808', '0 to 9223372036854775807'],
    ['frozen', correct, '--frozen', null, "required option '--frozen <n>' not specified"],
    ['pos', admit, '--pos', 'last', 'It must be the pos of a record of the log, in microseconds'],
  ])('%s of %j: %s %s', async (_, base, name, value, message) => {
    const { exitCode, err } = await runTold(line(base, name, value))
    expect(err).toContain(message)
    expect(err).toContain(`(settle ${base[0]} --help shows an example)`)
    expect(exitCode).toBe(2)
  })

  test.each([
    ['gap', gap],
    ['correct', correct],
    ['admit', admit],
  ])('%s: what is right comes as far as the settings', async (_, base) => {
    const { exitCode, err } = await runTold(base)
    expect(err).toContain('KAFKA_BROKERS is not set')
    expect(exitCode).toBe(2)
  })
})

test.each(['gap', 'correct', 'admit'])('%s has help with an example and the exit codes', async name => {
  const { exitCode, out } = await runTold([name, '--help'])
  expect(exitCode).toBe(0)
  expect(out).toContain(`Example:\n  settle ${name} --`)
  expect(out).toContain('Exit codes: 0 done, 1 no answer yet or a failure, 2 arguments, 3 refused.')
  for (const option of ['--who', '--why', '--id', '--dry-run', '--wait-ms', '--json']) expect(out).toContain(option)
})

test.each([
  [0n, 8, '0.00000000'],
  [150_000_000n, 8, '1.50000000'],
  [-5n, 2, '-0.05'],
  [12n, 0, '12'],
  [9_223_372_036_854_775_807n, 18, '9.223372036854775807'],
])('%s with %s decimals is %s', (amount, decimals, text) => {
  expect(displayAmount(amount, decimals)).toBe(text)
})
