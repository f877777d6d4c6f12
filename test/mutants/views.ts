import { migrations } from '../../schemas/starrocks/migrations.ts'
import { questions } from '../analysts/page.ts'
import type { Mutant } from './mutant.ts'

const statements = migrations.flatMap(({ statements: all }) => all)
const page = await questions()

const inContract = (test: string): Mutant['caughtBy'] => ({
  ...{ project: 'int', file: 'test/int/starrocks.int.test.ts' },
  test: `the stand-in keeps the contract analysts ${test}`,
  // A statement that is refused is no wrong answer.
  check: 'to deeply equal',
})
const byPage = inContract('every question of their page has the naive ledger’s answer')
const bySpoiling = inContract('a balance that does not stand where its last posting left it is found')

/** What is broken, what stands in the statement, and what then stands there instead, everywhere in it. */
type Break = readonly [what: string, find: string, replace: string]

/** Breaks of one view. Its whole statement is replaced, since the next view has the same pieces. */
const ofView = (view: string, breaks: readonly Break[]): Mutant[] => {
  const statement = statements.find(each => each.startsWith(`CREATE MATERIALIZED VIEW IF NOT EXISTS ${view}\n`)) ?? ''
  return breaks.map(([what, find, replace]) => ({
    ...{ name: `${view}: ${what}`, file: 'schemas/starrocks/002-views.sql' },
    ...{ find: statement, replace: statement.replaceAll(find, replace) },
    caughtBy: inContract(`every row of ${view} is the naive ledger’s`),
  }))
}

/** Breaks of one query of the analysts' page. */
const ofPage = (start: string, breaks: readonly Break[], caughtBy = byPage): Mutant[] => {
  const sql = page.find(({ title }) => title.startsWith(start))?.sql ?? ''
  return breaks.map(([what, find, replace]) => ({
    ...{ name: `page, ${start}: ${what}`, file: 'docs/analysts.md' },
    ...{ find: sql, replace: sql.replaceAll(find, replace), caughtBy },
  }))
}

const place = 'CAST(t.pos AS LARGEINT) * 1000000 + t.idx'
const [open, close] = [`min_by(t.price, ${place})`, `max_by(t.price, ${place})`]
const sums: readonly Break[] = [
  ['volume is of the quote', 'sum(t.quantity)', 'sum(t.quote_amount)'],
  ['turnover is of the base', 'sum(t.quote_amount)', 'sum(t.quantity)'],
  ['volume is in smallest units', 'sum(t.quantity)', 'sum(t.quantity_units)'],
  ['trades of an output count once', 'count(*)', 'count(DISTINCT t.pos)'],
]
const prices: readonly Break[] = [
  ['the open is the first by time', open, 'min_by(t.price, t.`time`)'],
  ['the open is the first by id', open, 'min_by(t.price, t.trade_id)'],
  ['the open has no place in the output', open, 'min_by(t.price, t.pos)'],
  ['the open has the place first', open, 'min_by(t.price, t.idx)'],
  ['the open is the last', open, close],
  ['the close is the first', close, open],
  ['the close is the last by time', close, 'max_by(t.price, t.`time`)'],
  ['the close has no place in the output', close, 'max_by(t.price, t.pos)'],
  ['the close adds place to pos', close, 'max_by(t.price, t.pos + t.idx)'],
  ['high is the lowest', 'max(t.price) AS `high`', 'min(t.price) AS `high`'],
  ['low is the highest', 'min(t.price) AS `low`', 'max(t.price) AS `low`'],
  ['prices are per lot', 'max(t.price)', 'max(t.price_units)'],
]
const buckets = (unit: 'minute' | 'hour', other: 'hour' | 'day'): readonly Break[] => {
  const bucket = `date_trunc('${unit}', t.\`time\`)`
  return [
    ['the bucket is of seconds', bucket, "date_trunc('second', t.`time`)"],
    ['the bucket is wider', bucket, `date_trunc('${other}', t.\`time\`)`],
    ['the bucket is of another time zone', bucket, `date_trunc('${unit}', t.\`time\` + INTERVAL 30 SECOND)`],
  ]
}
const days: readonly Break[] = [
  ['the day is of another time zone', "date_trunc('day', t.`time`)", "date_trunc('day', t.`time` + INTERVAL 1 HOUR)"],
  [
    'the day ends a microsecond late',
    "date_trunc('day', t.`time`)",
    "date_trunc('day', t.`time` - INTERVAL 1 MICROSECOND)",
  ],
]

const viewBreaks: readonly Mutant[] = [
  ...ofView('candles_1m', [...prices, ...sums, ...days, ...buckets('minute', 'hour')]),
  ...ofView('candles_1h', [...prices, ...sums, ...days, ...buckets('hour', 'day')]),
  ...ofView('candles_1d', [
    ...[...prices, ...sums, ...days],
    ['the close in units is the first', `max_by(t.price_units`, 'min_by(t.price_units'],
    ['the close in units is of no place', `max_by(t.price_units, ${place})`, 'max_by(t.price_units, t.pos)'],
  ]),
  ...ofView('daily_volume', [...sums, ...days]),
  ...ofView('daily_fees', [
    ...days,
    ['fees have the other sign', 'sum(t.fee)', 'sum(-t.fee)'],
    ['fees are of one side', 'FROM user_trades t', "FROM user_trades t WHERE t.side = 'Buy'"],
    ['fees are of takers', 'FROM user_trades t', "FROM user_trades t WHERE t.role = 'Taker'"],
    ['rebates are left out', 'sum(t.fee)', 'sum(CASE WHEN t.fee > 0 THEN t.fee ELSE 0 END)'],
    ['rebates are fees', 'sum(t.fee)', 'sum(abs(t.fee))'],
    ['units are whole', 'CAST(t.fee_units AS LARGEINT)', 'CAST(t.fee AS LARGEINT)'],
    ['fees in units miss rebates', 't.fee_units', 'abs(t.fee_units)'],
    ['equal fees count once', 'sum(t.fee)', 'sum(DISTINCT t.fee)'],
    [
      'trades with oneself are left out',
      'FROM user_trades t',
      'FROM user_trades t WHERE t.trade_id NOT IN (SELECT trade_id FROM trades WHERE buyer_id = seller_id)',
    ],
  ]),
  ...ofView('user_daily', [
    ...days,
    ['bought and sold are exchanged', "'Buy' THEN t.quantity_units", "'Sell' THEN t.quantity_units"],
    ['sold is what was bought', "'Sell' THEN t.quantity_units", "'Buy' THEN t.quantity_units"],
    ['paid is what was received', "'Buy' THEN t.quote_amount_units", "'Sell' THEN t.quote_amount_units"],
    ['received is what was paid', "'Sell' THEN t.quote_amount_units", "'Buy' THEN t.quote_amount_units"],
    ['paid is of the base', "'Buy' THEN t.quote_amount_units", "'Buy' THEN t.quantity_units"],
    ['base fees are of the quote', 't.fee_asset_id = s.base_asset_id', 't.fee_asset_id = s.quote_asset_id'],
    ['quote fees are of the base', 't.fee_asset_id = s.quote_asset_id', 't.fee_asset_id = s.base_asset_id'],
    ['quote fees are of both', 'CASE WHEN t.fee_asset_id = s.quote_asset_id', 'CASE WHEN TRUE'],
    ['only base fees are known', 'IN (s.base_asset_id, s.quote_asset_id)', 'IN (s.base_asset_id)'],
    [
      'base fees are of buyers only',
      't.fee_asset_id = s.base_asset_id',
      "t.side = 'Buy' AND t.fee_asset_id = s.base_asset_id",
    ],
    [
      'quote fees are of sellers only',
      't.fee_asset_id = s.quote_asset_id',
      "t.side = 'Sell' AND t.fee_asset_id = s.quote_asset_id",
    ],
    ['fees are of any symbol', 'ON s.symbol_id = t.symbol_id', 'ON s.symbol_id >= t.symbol_id'],
    ['a trade with itself counts once', 'count(*)', 'count(DISTINCT t.trade_id)'],
  ]),
  ...ofView('user_pnl', [
    ['the last price is the highest', 'max_by(c.close_units, c.`day`)', 'max(c.close_units)'],
    ['the last price is the first', 'max_by(c.close_units, c.`day`)', 'min_by(c.close_units, c.`day`)'],
    ['the shown last price is the first', 'max_by(c.`close`, c.`day`)', 'min_by(c.`close`, c.`day`)'],
    ['the last price is the last high', 'max_by(c.`close`', 'max_by(c.`high`'],
    ['fees are a gain', '- p.quote_fee_units', '+ p.quote_fee_units'],
    ['fees are left out', ' - p.quote_fee_units', ''],
    ['received and paid are exchanged', 'p.received_units - p.paid_units', 'p.paid_units - p.received_units'],
    [
      'the position has no price',
      'p.position_units * l.last_price_units DIV s.lot_units',
      'p.position_units DIV s.lot_units',
    ],
    ['the position is of 10 units a lot', 'DIV s.lot_units', 'DIV 10'],
    ['the position has base fees twice', '- sum(d.base_fee_units)', '- 2 * sum(d.base_fee_units)'],
    ['the position has no base fees', ' - sum(d.base_fee_units)', ''],
    ['the position is short', 'sum(d.bought_units) - sum(d.sold_units)', 'sum(d.sold_units) - sum(d.bought_units)'],
    [
      'the position is shown in the quote',
      'p.position_units AS DECIMAL(38, 0)) * b.unit',
      'p.position_units AS DECIMAL(38, 0)) * q.unit',
    ],
    [
      'base fees are shown in the quote',
      'p.base_fee_units AS DECIMAL(38, 0)) * b.unit',
      'p.base_fee_units AS DECIMAL(38, 0)) * q.unit',
    ],
    ['the result is shown in the base', 'AS DECIMAL(38, 0)) * q.unit AS pnl,', 'AS DECIMAL(38, 0)) * b.unit AS pnl,'],
    ['days count, not trades', 'sum(d.trade_count)', 'count(*)'],
    ['other fees are those of a day', 'sum(d.other_fee_count)', 'max(d.other_fee_count)'],
    ['the price is of any symbol', 'l ON l.symbol_id = p.symbol_id', 'l ON l.symbol_id >= p.symbol_id'],
  ]),
]

const pageBreaks: readonly Mutant[] = [
  ...ofPage('Volume-weighted', [
    [
      'the average is of prices',
      'CAST(sum(t.quote_amount) AS DOUBLE) / CAST(sum(t.quantity) AS DOUBLE)',
      'avg(t.price)',
    ],
    ['turnover is of the base', 'sum(t.quote_amount) AS turnover', 'sum(t.quantity) AS turnover'],
  ]),
  ...ofPage('The last hundred', [
    ['of the first', 'DESC', 'ASC'],
    ['of all markets', "WHERE s.name = 'BTC/EUR'", ''],
    ['open and close are exchanged', 'c.open, c.high, c.low, c.close', 'c.close, c.high, c.low, c.open'],
    ['ninety-nine', 'LIMIT 100', 'LIMIT 99'],
  ]),
  ...ofPage('Which hours', [
    ['by count', 'ORDER BY turnover', 'ORDER BY trade_count'],
    ['by day', 'hour(c.time)', 'day(c.time)'],
    ['turnover is of the base', 'c.quote_volume', 'c.volume'],
  ]),
  ...ofPage('Who crosses', [
    ['by the maker', "t.taker_side = 'Buy'", "t.taker_side = 'Sell'"],
    ['counts quote', 'THEN t.quantity', 'THEN t.quote_amount'],
  ]),
  ...ofPage('Who makes', [
    ['takers', "'Maker'", "'Taker'"],
    ['both', "WHERE t.role = 'Maker'", ''],
    ['the smallest', 'turnover DESC', 'turnover'],
  ]),
  ...ofPage('What the house', [
    ['other postings too', "l.reason = 'Fee' AND", ''],
    ['what is frozen', 'l.delta_available', 'l.delta_frozen'],
    ['of all times', "date_trunc('day', l.time)", "date_trunc('year', l.time)"],
  ]),
  ...ofPage('What each market', [
    ['of any day', ' AND f.day = v.day', ''],
    ['of any market', 'f.symbol_id = v.symbol_id AND ', ''],
    ['volume in base', 'v.quote_volume', 'v.volume'],
    ['fees in units', 'f.fees', 'f.fees_units'],
  ]),
  ...ofPage('Who won', [
    ['fees are a gain', '- p.quote_fees', '+ p.quote_fees'],
    ['the losers', 'p.pnl DESC', 'p.pnl'],
    ['position for value', 'p.position_value', 'p.position'],
  ]),
  ...ofPage('What a user has realised', [
    ['the sold at its price', 'r.sold * r.paid / r.bought', 'r.paid'],
    ['fees are left out', ' - r.fees', ''],
    ['base fees of buys are left out', "quantity - CASE WHEN fee_in = 'base' THEN fee ELSE 0 END", 'quantity'],
    ['base fees of sales are left out', "quantity + CASE WHEN fee_in = 'base' THEN fee ELSE 0 END", 'quantity'],
    ['other fees are of the quote', "ELSE 'other'", "ELSE 'quote'"],
    ['of another user', '= 101', '= 102'],
  ]),
  ...ofPage("A user's statement", [
    ['oldest first', 'DESC', ''],
    ['of any asset', ' AND asset_id = 2', ''],
    ['values before', 'available, frozen, version', 'delta_available, delta_frozen, version'],
  ]),
  ...ofPage('The whole life', [
    ['by place only', 'e.pos, e.idx', 'e.idx, e.pos'],
    ['backwards', 'e.pos, e.idx', 'e.pos DESC, e.idx'],
    ['filled for remaining', 'e.remaining', 'e.filled'],
  ]),
  ...ofPage('The orders that', [
    ['by the last change', 'min(time)', 'max(time)'],
    ['only untouched ones', "('New', 'PartiallyFilled')", "('New')"],
    ['closed ones too', "WHERE o.state IN ('New', 'PartiallyFilled')", ''],
    ['youngest first', 'e.placed, o.order_id LIMIT', 'e.placed DESC, o.order_id LIMIT'],
  ]),
  ...ofPage('How orders end', [
    ['only of known markets', 'LEFT JOIN', 'JOIN'],
    ['what was asked for', 'sum(o.filled)', 'sum(o.quantity)'],
  ]),
  ...ofPage('Who holds', [
    ['of any asset', "WHERE a.name = 'EUR'", ''],
    ['without what is frozen', 'b.available + b.frozen', 'b.available'],
    ['the least', 'total DESC', 'total'],
  ]),
  ...ofPage('What came in', [
    ['no corrections', ", 'Correction'", ''],
    ['no withdrawals', ", 'Withdrawal'", ''],
    ['no deposits', "'Deposit', ", ''],
    ['in units', 'l.delta_available', 'l.delta_available_units'],
  ]),
  ...ofPage(
    'Does every balance',
    [
      ['only those with a posting', 'LEFT JOIN', 'JOIN'],
      ['frozen is not looked at', ' AND l.frozen_units = b.frozen_units', ''],
      ['available is not looked at', 'l.available_units = b.available_units AND ', ''],
    ],
    bySpoiling,
  ),
  ...ofPage('Does every balance', [['any posting', ' AND l.version = b.version', '']]),
  ...ofPage('Is money', [
    ['no corrections', ", 'Correction'", ''],
    [
      'what is frozen is not held',
      'CAST(available_units AS LARGEINT) + frozen_units',
      'CAST(available_units AS LARGEINT)',
    ],
    ['no withdrawals', ", 'Withdrawal'", ''],
  ]),
  ...ofPage('Is money', [['held is not looked at', 'held.units - flow.units', 'flow.units - flow.units']], bySpoiling),
]

/** What analysts are told: each expression of a view and each query of their page, wrong in one way. */
export const viewMutants: readonly Mutant[] = [...viewBreaks, ...pageBreaks]
