import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BalanceChange, Command, CorrectionBody, EngineOutput, LogRecord, OrderUpdate, Trade } from '../events.ts'
import { amount, assetId, orderId, pos, userId, version } from '../ids.ts'
import { history } from '../testing/history.ts'
import { base, house, quote, TinyExchange } from '../testing/tiny-exchange.ts'
import { NaiveLedger, type NaiveLedgerOptions } from './naive-ledger.ts'

const at = { epoch: 1n, random: 1n, seq: 1n, chain: Buffer.alloc(32) }
const command: Command = { id: 'c1', who: 'ann', why: 'lost', time: 9n }
const asLog = (outputs: readonly EngineOutput[]): LogRecord[] =>
  outputs.map((output, i) => ({ kind: 'Output', pos: pos(10n * BigInt(i + 1)), at, output }))
const ledgerOf = (records: readonly LogRecord[], options: NaiveLedgerOptions = {}): NaiveLedger => {
  const ledger = new NaiveLedger(options)
  for (const record of records) ledger.take(record)
  return ledger
}

/** User 1 sells 300 at 50 in two trades of 200 and 100 with user 2. */
const outputs = (): EngineOutput[] => {
  const exchange = new TinyExchange()
  return [
    exchange.take({ kind: 'deposit', user: 1, asset: 1, amount: 1000 }),
    exchange.take({ kind: 'deposit', user: 2, asset: 2, amount: 100_000 }),
    exchange.take({ kind: 'place', user: 1, side: 'Sell', price: 50, lots: 30, life: 'rest' }),
    exchange.take({ kind: 'place', user: 2, side: 'Buy', price: 52, lots: 20, life: 'rest' }),
    exchange.take({ kind: 'place', user: 2, side: 'Buy', price: 50, lots: 15, life: 'now' }),
  ]
}
const alice = userId(1n)
const edited = (place: number, edit: (output: EngineOutput) => Partial<EngineOutput>): LogRecord[] =>
  asLog(outputs().map((output, i) => (i === place ? { ...output, ...edit(output) } : output)))

describe('what it adds up', () => {
  test('is what the engine says, for any history', () => {
    fc.assert(
      fc.property(history, all => {
        const ledger = ledgerOf(asLog(all))
        expect(ledger.problems()).toEqual([])
        const last = new Map<string, BalanceChange>()
        for (const change of all.flatMap(each => each.changes)) last.set(`${change.user}/${change.asset}`, change)
        const balances = [...ledger.balances()]
        expect(balances).toHaveLength(last.size)
        for (const balance of balances) expect(last.get(`${balance.user}/${balance.asset}`)).toMatchObject(balance)
        const orders = new Map(all.flatMap(each => each.orders).map(update => [update.order, update]))
        expect(new Map([...ledger.orders()].map(update => [update.order, update]))).toEqual(orders)
        for (const asset of [base, quote]) {
          const held = balances
            .filter(each => each.asset === asset)
            .reduce((sum, each) => sum + each.available + each.frozen, 0n)
          expect(held).toBe(ledger.externalFlow().get(asset) ?? 0n)
          expect(held).toBe(ledger.totalFlow().get(asset) ?? 0n)
        }
      }),
    )
  })

  test('may be nothing, and is no problem then', () => {
    const exchange = new TinyExchange()
    const amounts = { user: 1, asset: 1, amount: 100 } as const
    const all = (['deposit', 'withdraw'] as const).map(kind => exchange.take({ kind, ...amounts }))
    const ledger = ledgerOf(asLog(all))
    expect(ledger.problems()).toEqual([])
    expect(ledger.balanceAt(alice, base, version(2n))).toEqual({ available: 0n, frozen: 0n, version: 2n })
  })

  test('hands out every row once, with its place', () => {
    const rows: string[] = []
    const tell = (name: string) => (_: unknown, place: { pos: bigint; index: number }) =>
      rows.push(`${name} ${place.pos}/${place.index}`)
    const ledger = ledgerOf(asLog(outputs()), {
      onPosting: tell('posting'),
      onTrade: tell('trade'),
      onOrderUpdate: tell('update'),
    })
    expect(rows.filter(row => row.startsWith('trade'))).toEqual(['trade 40/0', 'trade 50/0'])
    expect(rows.filter(row => row.startsWith('update'))).toEqual([
      'update 30/0',
      'update 40/0',
      'update 40/1',
      'update 40/2',
      'update 50/0',
      'update 50/1',
      'update 50/2',
    ])
    expect(rows.filter(row => row.startsWith('posting'))).toHaveLength(outputs().flatMap(each => each.changes).length)
    expect(ledger.counts).toEqual({ orders: 3, trades: 2 })
    expect(ledger.order(orderId(1n))).toMatchObject({ state: 'Filled', filled: 300n, remaining: 0n })
    expect(ledger.order(orderId(9n))).toBeUndefined()
  })

  test('knows a balance at its newest version, at version 0, and at the versions watched before', () => {
    const ledger = new NaiveLedger()
    ledger.watch(alice, base, version(2n))
    ledger.watch(alice, base, version(99n))
    for (const record of asLog(outputs())) ledger.take(record)
    expect(ledger.balanceAt(alice, base, version(2n))).toEqual({ available: 700n, frozen: 300n, version: 2n })
    expect(ledger.balanceAt(alice, base, version(4n))).toEqual({ available: 700n, frozen: 0n, version: 4n })
    expect(ledger.balanceAt(alice, base, version(0n))).toEqual({ available: 0n, frozen: 0n, version: 0n })
    for (const [user, asset, at] of [
      [alice, base, 1n],
      [alice, base, 99n],
      [alice, assetId(7), 1n],
      [userId(8n), base, 1n],
    ] as const)
      expect(ledger.balanceAt(user, asset, version(at))).toBeUndefined()
    expect([...ledger.balances()].some(each => each.user === userId(8n))).toBe(false)
  })

  test('keeps the newest reference and counts nothing for records without money', () => {
    const reference = { assets: [], symbols: [], house }
    const output: EngineOutput = { time: 1n, reference, orders: [], trades: [], changes: [] }
    const kinds = ['Session', 'Tick'] as const
    const others: LogRecord[] = [
      { kind: 'Reference', pos: pos(1n), at, output },
      ...kinds.map((kind, i) => ({ kind, pos: pos(2n + BigInt(i)), at })),
      { kind: 'Admit', pos: pos(5n), at, command, refusedPos: pos(1n) },
      { kind: 'Redrive', pos: pos(6n), at, command, user: alice },
      { kind: 'Refused', pos: pos(7n), at, command, reason: 'r' },
      { kind: 'Note', pos: pos(8n), at, command, text: 't' },
    ]
    const ledger = ledgerOf(others)
    expect(ledger.reference).toEqual(reference)
    expect([...ledger.balances(), ...ledger.orders(), ...ledger.problems()]).toEqual([])
  })
})

describe('what it reports', () => {
  const change = (place: number, index: number, over: (change: BalanceChange) => Partial<BalanceChange>): LogRecord[] =>
    edited(place, output => ({
      changes: output.changes.map((each, i) => (i === index ? { ...each, ...over(each) } : each)),
    }))
  const update = (place: number, index: number, over: Partial<OrderUpdate>): LogRecord[] =>
    edited(place, output => ({ orders: output.orders.map((each, i) => (i === index ? { ...each, ...over } : each)) }))

  test.each([
    [
      'a value after',
      change(2, 0, each => ({ available: amount(each.available + 1n) })),
      ['the sum of all deltas is 700 available and 300 frozen, the engine says 701 and 300'],
    ],
    ['a delta', change(0, 0, () => ({ deltaAvailable: amount(999n) })), ['the sum of all deltas is 999 available']],
    [
      'below zero',
      change(0, 0, () => ({ deltaAvailable: amount(-1n), available: amount(-1n) })),
      ['-1 available, 0 frozen: below zero'],
    ],
    [
      'a version hole',
      change(0, 0, () => ({ version: version(3n) })),
      [
        'posting of user 1, asset 1, version 3 (Trade 1) came before',
        'user 1, asset 1: version 1 is missing, 3 postings after it wait',
      ],
    ],
    [
      'a version doubled',
      change(2, 0, () => ({ version: version(1n) })),
      ['posting of user 1, asset 1, version 1 (Reserve 1) came before', 'version 2 is missing, 2 postings'],
    ],
    [
      'a trade gone',
      edited(4, () => ({ trades: [] })),
      [
        'order 1 (Filled): its trades leave 200 filled and 100 remaining, the engine says 300 and 0',
        'with 200 of 300 filled it is PartiallyFilled, not Filled',
      ],
    ],
    [
      'a trade doubled',
      edited(4, output => ({ trades: [...output.trades, ...output.trades] })),
      ['trade 2 stands in the log twice'],
    ],
    [
      'an order silent in its trade',
      edited(3, output => ({ orders: output.orders.slice(1) })),
      ['order 2 begins as Filled; it was never New'],
    ],
    [
      'a maker silent in a trade',
      edited(3, output => ({ orders: output.orders.filter(each => each.order !== orderId(1n)) })),
      ['trade 1 says nothing of its order 1'],
    ],
    [
      'a wrong filled',
      update(4, 1, { filled: amount(290n), state: 'PartiallyFilled' }),
      ['its trades leave 300 filled', 'it is Filled, not PartiallyFilled'],
    ],
    [
      'a wrong remaining',
      update(2, 0, { remaining: amount(1n) }),
      ['order 1 (New): its trades leave 0 filled and 300 remaining, the engine says 0 and 1'],
    ],
    [
      'life after the end',
      edited(4, output => ({ orders: [...output.orders, { ...(output.orders[1] as OrderUpdate) }] })),
      ['order 1 is Filled after it was Filled'],
    ],
    [
      'money from nowhere',
      change(4, 0, each => ({ deltaFrozen: amount(each.deltaFrozen + 1n) })),
      ['sum of all deltas', 'asset 2: postings sum to 100001, deposits and withdrawals to 100000'],
    ],
    ['a pos that falls', [...asLog(outputs()), ...asLog(outputs()).slice(4)], ['a Output at pos 50 follows pos 50']],
  ])('%s', (_, records, expected) => {
    const problems = ledgerOf(records).problems()
    for (const text of expected) expect(problems.join('\n')).toContain(text)
  })

  test('any trade, order update or change left out of any history', () => {
    const part = fc.constantFrom('orders' as const, 'trades' as const, 'changes' as const)
    fc.assert(
      fc.property(history, part, fc.nat(), (all, name, pick) => {
        const candidates = all.flatMap((output, place) => output[name].map((_, index) => ({ place, index })))
        fc.pre(candidates.length > 0)
        const { place, index } = candidates[pick % candidates.length] as { place: number; index: number }
        const lost = (all[place] as EngineOutput)[name][index] as OrderUpdate & Trade & BalanceChange
        const later = all
          .flatMap(output => output.changes)
          .some(each => each.user === lost.user && each.asset === lost.asset && each.version > lost.version)
        // The last change of an account, when it moves nothing in or out, is missed by nobody in the log.
        const silent = lost.deltaAvailable + lost.deltaFrozen === 0n || ['Deposit', 'Withdrawal'].includes(lost.reason)
        fc.pre(name !== 'changes' || later || !silent)
        // Nor is an order's only or last word, when no trade speaks of it, nor its first when the next, a reduction, is
        // as good a first word.
        const traded = new Set(all[place]?.trades.flatMap(each => [each.buyOrder, each.sellOrder]))
        const words = all.flatMap(output => output.orders).filter(each => each.order === lost.order)
        fc.pre(
          name !== 'orders' ||
            traded.has(lost.order) ||
            (words[0] === lost && words.length > 1 && words[1]?.state !== 'New'),
        )
        const broken = all.map((output, i) =>
          i === place ? { ...output, [name]: output[name].filter((_, j) => j !== index) } : output,
        )
        expect(ledgerOf(asLog(broken)).problems()).not.toEqual([])
      }),
    )
  })

  test('money from nowhere in an asset that nobody deposited', () => {
    const fee: BalanceChange = {
      ...((outputs()[0] as EngineOutput).changes[0] as BalanceChange),
      asset: assetId(5),
      reason: 'Fee',
    }
    const problems = ledgerOf(edited(1, output => ({ changes: [...output.changes, fee] }))).problems()
    expect(problems).toEqual(['asset 5: postings sum to 1000, deposits and withdrawals to 0'])
  })

  test('is bounded: the first problems in words, the others by number', () => {
    const ledger = ledgerOf(
      Array.from({ length: 9 }, () => ({ kind: 'Tick', pos: pos(1n), at }) as const),
      { maxProblems: 3 },
    )
    expect(ledger.problems()).toEqual([
      ...Array.from({ length: 3 }, () => 'a Tick at pos 1 follows pos 1'),
      'and 5 more',
    ])
  })

  test('postings that wait are bounded', () => {
    const records = edited(0, () => ({ changes: [] }))
    const ledger = ledgerOf(records, { maxWaiting: 1 })
    expect(ledger.problems().join('\n')).toContain("can't wait for the versions before it: 1 postings wait already")
    expect([...ledger.holes()]).toEqual([{ user: alice, asset: base, missing: 1n, waiting: 1 }])
  })
})

describe('an accepted loss', () => {
  const body: CorrectionBody = {
    user: alice,
    asset: base,
    version: version(2n),
    available: amount(700n),
    frozen: amount(300n),
    deltaAvailable: amount(-300n),
    deltaFrozen: amount(300n),
  }
  const correction = (at_: bigint, over: Partial<CorrectionBody> = {}): LogRecord => ({
    kind: 'Correction',
    pos: pos(at_),
    at,
    command,
    correction: { ...body, ...over },
  })

  test.each([
    ['before the postings that need it', 35n],
    ['after them', 60n],
  ])('a Correction takes the place of its version %s', (_, place) => {
    const lost = edited(2, () => ({ changes: [] }))
    const records = [...lost, correction(place)].sort((a, b) => Number(a.pos - b.pos))
    expect(ledgerOf(lost).problems()).toEqual(['user 1, asset 1: version 2 is missing, 2 postings after it wait'])
    const postings: BalanceChange[] = []
    const ledger = ledgerOf(records, { onPosting: posting => postings.push(posting) })
    expect(ledger.problems()).toEqual([])
    expect(ledger.balanceAt(alice, base, version(4n))).toEqual({ available: 700n, frozen: 0n, version: 4n })
    expect(postings).toContainEqual({ ...body, reason: 'Correction', ref: 0n })
  })

  test('a Correction that does not follow from the cell before it is a contradiction', () => {
    const lost = edited(2, () => ({ changes: [] }))
    const ledger = ledgerOf([...lost, correction(60n, { deltaAvailable: amount(-299n) })])
    expect(ledger.problems()).toEqual([
      'user 1, asset 1: version 2 is missing, 2 postings after it wait',
      'Correction of user 1, asset 1 to version 2 does not lead on from version 1 (1000 available, 0 frozen), or passes over a version that the log has',
    ])
    expect(ledger.balanceAt(alice, base, version(1n))).toEqual({ available: 1000n, frozen: 0n, version: 1n })
    const healed = ledgerOf([...lost, correction(60n, { deltaAvailable: amount(-299n) }), correction(70n)])
    expect(healed.balanceAt(alice, base, version(4n))).toEqual({ available: 700n, frozen: 0n, version: 4n })
    expect(ledgerOf([...asLog(outputs()), correction(60n)]).problems()).toEqual([
      'posting of user 1, asset 1, version 2 (Correction 0) came before, or is below 1',
    ])
  })

  /** User 1's versions 2 and 3 are lost: the reserve, and the first trade. */
  const lostTwo = (): LogRecord[] =>
    edited(2, () => ({ changes: [] })).map((each, i) =>
      i === 3 && each.kind === 'Output'
        ? { ...each, output: { ...each.output, changes: each.output.changes.filter(({ user }) => user !== alice) } }
        : each,
    )
  const both = { version: version(3n), frozen: amount(100n), deltaFrozen: amount(100n) }

  test.each([
    ['before what follows', 35n],
    ['after it', 60n],
  ])('a Correction closes a hole of several versions, %s', (_, place) => {
    expect(ledgerOf(lostTwo()).problems()).toContain('user 1, asset 1: version 2 is missing, 1 postings after it wait')
    const records = [...lostTwo(), correction(place, both)].sort((a, b) => Number(a.pos - b.pos))
    const ledger = ledgerOf(records)
    expect([...ledger.holes()].filter(({ asset }) => asset === base)).toEqual([])
    expect(ledger.balanceAt(alice, base, version(4n))).toEqual({ available: 700n, frozen: 0n, version: 4n })
  })

  test('Corrections of one version each close it too, the later one first as well', () => {
    const second = {
      version: version(3n),
      frozen: amount(100n),
      deltaAvailable: amount(0n),
      deltaFrozen: amount(-200n),
    }
    for (const places of [
      [60n, 70n],
      [70n, 60n],
    ] as const) {
      const added = [correction(places[0]), correction(places[1], second)].sort((a, b) => Number(a.pos - b.pos))
      expect(ledgerOf([...lostTwo(), ...added]).balanceAt(alice, base, version(4n))).toEqual({
        available: 700n,
        frozen: 0n,
        version: 4n,
      })
    }
  })

  test('a Correction does not pass over a version that the log has', () => {
    const ledger = ledgerOf([...edited(2, () => ({ changes: [] })), correction(60n, both)])
    expect(ledger.balanceAt(alice, base, version(1n))).toEqual({ available: 1000n, frozen: 0n, version: 1n })
    expect(ledger.problems().join('\n')).toContain('to version 3 does not lead on from version 1')
  })

  test('a Gap lets open orders have traded in it, and unheard orders turn up; later trades must fit again', () => {
    const all = asLog(outputs())
    const gap: LogRecord = { kind: 'Gap', pos: pos(40n), at, command, lostAfter: at }
    const noMoney = (records: LogRecord[]): LogRecord[] =>
      records.map(each => (each.kind === 'Output' ? { ...each, output: { ...each.output, changes: [] } } : each))
    const after = noMoney([...all.slice(0, 3), gap, ...all.slice(4)])
    const ledger = ledgerOf(after)
    expect(ledger.problems()).toEqual([])
    expect(ledger.order(orderId(1n))).toMatchObject({ state: 'Filled', filled: 300n })
    expect(ledgerOf(after.filter(each => each.kind !== 'Gap')).problems()).not.toEqual([])
    const unheard = noMoney([{ ...gap, pos: pos(1n) }, ...all.slice(4)])
    expect(ledgerOf(unheard).problems()).toEqual([])
  })
})
