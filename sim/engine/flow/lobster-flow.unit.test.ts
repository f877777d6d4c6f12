import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MatchingEngine } from '../matching-engine.ts'
import { Producer } from '../producer.ts'
import { tempFolder } from '../testing/temp-folder.ts'
import { drain, outputsOf } from '../testing/test-flow.ts'
import { checkLobsterFile, LobsterFlow, lobsterReference, symbolOfFile } from './lobster-flow.ts'
import { parseLobsterLine } from './lobster-message.ts'
import { lobsterSample } from './lobster-sample.ts'

const startUs = 1_000_000_000n
const house = 1_000n

const fileOf = (lines: readonly string[], name = 'ACME_message.csv'): string => {
  const file = join(tempFolder(), name)
  writeFileSync(file, lines.map(line => `${line}\n`).join(''))
  return file
}

type Market = { readonly producer: Producer; readonly flow: LobsterFlow }
const marketOf = (file: string, { users = 5, orders = null as number | null } = {}): Market => {
  const { firstTimeUs } = checkLobsterFile(file)
  const flow = new LobsterFlow({ file, users, orders, startUs, firstTimeUs })
  const engine = new MatchingEngine({ fees: { makerBp: 10n, takerBp: 20n } })
  return { producer: new Producer({ engine, flow, reference: lobsterReference('ACME', house), startUs }), flow }
}
const trade = (lines: readonly string[], options?: Parameters<typeof marketOf>[1]) => {
  const { producer, flow } = marketOf(fileOf(lines), options)
  const outputs = outputsOf(drain(producer))
  return { outputs, flow, orders: outputs.flatMap(({ orders }) => orders), trades: outputs.flatMap(o => o.trades) }
}

describe('a line', () => {
  it.each([
    ['', 'fields'],
    ['34200.1,1,5,100,5000', '5 fields'],
    ['34200.1,1,5,100,5000,1,x', '7 fields'],
    ['noon,1,5,100,5000,1', 'time "noon" is not seconds'],
    ['34200.1,8,5,100,5000,1', 'type "8" is not one of 1 to 7'],
    ['34200.1,constructor,5,100,5000,1', 'type "constructor"'],
    ['34200.1,1,x,100,5000,1', 'order id "x" is not an integer'],
    ['34200.1,1,0,100,5000,1', 'order id 0 is not from 1'],
    ['34200.1,1,5,0,5000,1', 'size 0 is not from 1'],
    ['34200.1,1,5,1.5,5000,1', 'size "1.5" is not an integer'],
    ['34200.1,1,5,100,-5,1', 'price -5 is not from 1'],
    ['34200.1,1,5,100,99999999999,1', 'price 99999999999 is not from 1'],
    ['34200.1,1,5,100,5000,0', 'direction 0 is neither'],
  ])('%s is malformed', (text, reason) => {
    const message = parseLobsterLine(text)
    expect(message.kind === 'malformed' ? message.reason : '').toContain(reason)
  })

  it('is read with microseconds, whatever digits the time has', () => {
    expect(parseLobsterLine('34200.017459617,4,16113575,18,5859100,-1')).toEqual({
      ...{ kind: 'execute', timeUs: 34_200_017_459n, order: 16_113_575n, size: 18n, price: 5_859_100n, side: 'Sell' },
    })
    expect(parseLobsterLine('34200,7,0,0,-1,-1')).toEqual({ kind: 'other', timeUs: 34_200_000_000n })
  })
})

describe('a file', () => {
  it('is refused as a whole for one bad line, named with its number, text and reason', () => {
    const file = fileOf(['34200.1,1,5,100,5000,1', '34200.2,1,6,100,oops,1'])
    expect(() => checkLobsterFile(file)).toThrow(
      `${file}: line 2: "34200.2,1,6,100,oops,1": price "oops" is not an integer`,
    )
  })

  it('is refused when it is empty or missing', () => {
    expect(() => checkLobsterFile(fileOf([]))).toThrow('the file has no message')
    expect(() => checkLobsterFile('/nowhere/x.csv')).toThrow("can't be opened (ENOENT)")
  })

  it('may end its lines with CRLF, and its last one with nothing', () => {
    const file = join(tempFolder(), 'x.csv')
    writeFileSync(file, '34200.1,1,5,100,5000,1\r\n34200.2,3,5,100,5000,1')
    expect(checkLobsterFile(file).firstTimeUs).toBe(34_200_100_000n)
    const outputs = outputsOf(drain(marketOf(file).producer))
    expect(outputs.at(-1)?.orders[0]?.state).toBe('Cancelled')
  })

  it('names its symbol', () => {
    expect(symbolOfFile('/data/AAPL_2012-06-21_34200000_57600000_message_10.csv')).toBe('AAPL')
    expect(symbolOfFile('flow.csv')).toBe('FLOW')
    expect(symbolOfFile('123.csv')).toBe('STOCK')
    expect(symbolOfFile('USD.csv')).toBe('STOCK')
  })
})

describe('messages', () => {
  it('place, reduce, cancel and execute; the user is the order id modulo users, the taker another', () => {
    const { orders, trades } = trade([
      '34200.1,1,17,100,5000,1',
      '34200.2,2,17,40,5000,1',
      '34200.3,4,17,25,5000,1',
      '34200.4,3,17,35,5000,1',
    ])
    expect(orders.map(({ user, state, quantity, filled }) => [user, state, quantity, filled])).toEqual([
      [2n, 'New', 1_000_000n, 0n],
      [2n, 'New', 600_000n, 0n],
      [3n, 'New', 250_000n, 0n],
      [2n, 'PartiallyFilled', 600_000n, 250_000n],
      [3n, 'Filled', 250_000n, 250_000n],
      [2n, 'Cancelled', 600_000n, 250_000n],
    ])
    expect(trades).toMatchObject([{ price: 5_000n, quote: 125_000n, buyer: 2n, seller: 3n, taker: 'Sell' }])
  })

  it('give a taker who is neither the owner of the line nor of the order in the way', () => {
    const { trades } = trade(['34200.1,1,18,10,5000,-1', '34200.2,1,22,10,5000,-1', '34200.3,4,22,10,5000,-1'])
    // Order 18 of user 3 is first in line; the line names 22 of user 2, whose next would be user 3.
    expect(trades).toMatchObject([{ seller: 3n, buyer: 4n }])
  })

  it('about orders that are not open, and types 5 to 7, are counted and skipped', () => {
    const { flow, outputs } = trade([
      '34200.1,3,99,10,5000,1',
      '34200.1,5,0,10,5000,1',
      '34200.2,1,7,10,5000,1',
      '34200.2,1,7,10,5000,1',
      '34200.3,6,1,10,5000,1',
      '34200.4,7,0,0,-1,-1',
      '34200.5,4,98,10,5000,1',
    ])
    expect(flow.skipped).toEqual({ notOpen: 2, duplicate: 1, other: 3 })
    expect(outputs.filter(({ orders }) => orders.length > 0)).toHaveLength(1)
  })

  it("set the engine's clock, which never goes back", () => {
    const { outputs } = trade(['34200.5,1,7,10,5000,1', '34201.5,1,8,10,5000,1', '34200.9,1,9,10,5000,1'])
    const times = outputs.filter(({ orders }) => orders.length > 0).map(({ time }) => time - startUs)
    expect(times).toEqual([0n, 1_000_000n, 1_000_000n])
  })

  it('stop after as many orders as were asked for', () => {
    const lines = [...lobsterSample({ seed: 1n, messages: 500 })]
    const { flow } = trade(lines, { orders: 100 })
    expect(flow.orders()).toBe(100)
  })

  it('too large for any money are rejected, not waited for', () => {
    const { orders } = trade(['34200.1,1,7,1000000000,10000000000,1'])
    expect(orders).toMatchObject([{ state: 'Rejected', reason: 'too large' }])
  })
})

describe('a sample file', () => {
  it('is well formed, and nearly all of it can be done', () => {
    const lines = [...lobsterSample({ seed: 5n, messages: 3_000 })]
    const { flow, orders, trades } = trade(lines, { users: 50 })
    expect(lines.every(line => parseLobsterLine(line).kind !== 'malformed')).toBe(true)
    expect(trades.length).toBeGreaterThan(200)
    expect(flow.skipped.notOpen).toBeLessThan(200)
    expect(orders.some(({ state }) => state === 'Rejected')).toBe(false)
  })

  it('gives the same outputs after a restart anywhere', () => {
    const file = fileOf([...lobsterSample({ seed: 9n, messages: 400 })])
    const whole = drain(marketOf(file).producer).map(({ payload }) => payload.toString('hex'))
    fc.assert(
      fc.property(fc.integer({ min: 1, max: whole.length - 1 }), at => {
        const first = marketOf(file).producer
        for (let i = 0; i < at; i++) first.next()
        const second = marketOf(file).producer
        second.restore(first.snapshot())
        expect(drain(second).map(({ payload }) => payload.toString('hex'))).toEqual(whole.slice(at))
      }),
      { numRuns: 10 },
    )
  })
})
