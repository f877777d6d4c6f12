import fc from 'fast-check'
import type { EngineOutput } from '../events.ts'
import { type TinyCommand, TinyExchange } from './tiny-exchange.ts'

const user = fc.integer({ min: 1, max: 4 })
const nth = fc.nat(30)
const tinyCommand: fc.Arbitrary<TinyCommand> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('deposit'),
      user,
      asset: fc.integer({ min: 1, max: 2 }),
      amount: fc.integer({ min: 1, max: 500_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('withdraw'),
      user,
      asset: fc.integer({ min: 1, max: 2 }),
      amount: fc.integer({ min: 1, max: 500 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('place'),
      user,
      side: fc.constantFrom('Buy' as const, 'Sell' as const),
      price: fc.integer({ min: 48, max: 52 }),
      lots: fc.integer({ min: 1, max: 40 }),
      life: fc.constantFrom('rest' as const, 'rest' as const, 'rest' as const, 'now' as const, 'market' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('cancel' as const, 'expire' as const), nth }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reduce'), nth, lots: fc.integer({ min: 1, max: 40 }) }) },
)

const rich: TinyCommand[] = [1, 2, 3, 4].flatMap(who =>
  [1, 2].map(asset => ({ kind: 'deposit', user: who, asset, amount: 1_000_000 }) as const),
)
/** What one engine did, output by output: funded users who trade, cancel, reduce, expire, deposit and withdraw. */
export const history: fc.Arbitrary<readonly EngineOutput[]> = fc
  .array(tinyCommand, { maxLength: 60, size: 'max' })
  .map(commands => {
    const exchange = new TinyExchange()
    return [...rich, ...commands].map(command => exchange.take(command))
  })
