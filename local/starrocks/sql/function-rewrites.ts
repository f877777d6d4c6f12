import { quoteText } from '../store/database.ts'
import { notSupported, parseError } from './sql-error.ts'
import type { Token } from './sql-lexer.ts'

interface Argument {
  /** Already rewritten. */
  readonly sql: string
  readonly tokens: readonly Token[]
}

export type FunctionRewrite = (args: readonly Argument[]) => string

const now = 'CAST(now() AS TIMESTAMP)'

/** MySQL's format letters that strftime has too, and those it writes otherwise. */
const formatLetters: Record<string, string> = {
  Y: '%Y',
  y: '%y',
  m: '%m',
  c: '%-m',
  d: '%d',
  e: '%-d',
  H: '%H',
  k: '%-H',
  h: '%I',
  I: '%I',
  i: '%M',
  s: '%S',
  S: '%S',
  f: '%f',
  p: '%p',
  j: '%j',
  M: '%B',
  b: '%b',
  W: '%A',
  a: '%a',
  T: '%H:%M:%S',
  '%': '%%',
}

/** Functions that DuckDB has under the same name with another meaning, so that passing them on would be wrong. */
const unlike = new Set([
  'log',
  'dayofweek',
  'weekday',
  'week',
  'weekofyear',
  'age',
  'format',
  'group_concat',
  'hash',
  'left_shift',
])

const rewrites: Record<string, FunctionRewrite> = {
  now: () => now,
  current_timestamp: () => now,
  localtimestamp: () => now,
  utc_timestamp: () => now,
  curdate: () => `CAST(${now} AS DATE)`,
  current_date: () => `CAST(${now} AS DATE)`,
  unix_timestamp: args => `CAST(floor(epoch(${args[0]?.sql ?? now})) AS BIGINT)`,
  from_unixtime: args => {
    const instant = `make_timestamp(CAST(${sql(args, 0)} AS BIGINT) * 1000000)`
    const format = args.length > 1 ? dateFormat(args[1]) : '%Y-%m-%d %H:%M:%S'
    return `strftime(${instant}, ${quoteText(format)})`
  },
  date_format: args => `strftime(CAST(${sql(args, 0)} AS TIMESTAMP), ${quoteText(dateFormat(args[1]))})`,
  date_add: args => `(CAST(${sql(args, 0)} AS TIMESTAMP) + ${interval(args[1])})`,
  adddate: args => `(CAST(${sql(args, 0)} AS TIMESTAMP) + ${interval(args[1])})`,
  date_sub: args => `(CAST(${sql(args, 0)} AS TIMESTAMP) - ${interval(args[1])})`,
  subdate: args => `(CAST(${sql(args, 0)} AS TIMESTAMP) - ${interval(args[1])})`,
  days_add: args => `(CAST(${sql(args, 0)} AS TIMESTAMP) + to_days(CAST(${sql(args, 1)} AS INTEGER)))`,
  days_sub: args => `(CAST(${sql(args, 0)} AS TIMESTAMP) - to_days(CAST(${sql(args, 1)} AS INTEGER)))`,
  datediff: args => `date_diff('day', CAST(${sql(args, 1)} AS TIMESTAMP), CAST(${sql(args, 0)} AS TIMESTAMP))`,
  // DuckDB's date_sub counts whole units, as StarRocks' date_diff and timestampdiff do; its date_diff counts borders.
  date_diff: args =>
    `date_sub(${sql(args, 0)}, CAST(${sql(args, 2)} AS TIMESTAMP), CAST(${sql(args, 1)} AS TIMESTAMP))`,
  timestampdiff: args =>
    `date_sub(${quoteText(sql(args, 0))}, CAST(${sql(args, 1)} AS TIMESTAMP), CAST(${sql(args, 2)} AS TIMESTAMP))`,
  time_slice: args => `time_bucket(${interval(args[1])}, CAST(${sql(args, 0)} AS TIMESTAMP), TIMESTAMP '0001-01-01')`,
  // StarRocks' concat is NULL when a part is; DuckDB's leaves the part out.
  concat: args => `(${args.map(arg => `CAST(${arg.sql} AS VARCHAR)`).join(' || ')})`,
  // Bytes in StarRocks, characters in DuckDB.
  length: args => `strlen(CAST(${sql(args, 0)} AS VARCHAR))`,
  char_length: args => `length(CAST(${sql(args, 0)} AS VARCHAR))`,
  character_length: args => `length(CAST(${sql(args, 0)} AS VARCHAR))`,
  percentile_approx: args => `approx_quantile(${sql(args, 0)}, ${sql(args, 1)})`,
  bitxor: args => `xor(${sql(args, 0)}, ${sql(args, 1)})`,
  rand: () => 'random()',
}

/**
 * How a call of this function is written for DuckDB; undefined when it is written the same.
 * @throws SqlError 1235 for a function that means something else there
 */
export function functionRewrite(name: string): FunctionRewrite | undefined {
  if (unlike.has(name)) throw notSupported(`the function ${name}()`)
  return Object.hasOwn(rewrites, name) ? rewrites[name] : undefined
}

function sql(args: readonly Argument[], index: number): string {
  const argument = args[index]
  if (!argument) throw parseError(`a function lacks its argument ${index + 1}`)
  return argument.sql
}

/** `INTERVAL n unit`, or a number of days. */
function interval(argument: Argument | undefined): string {
  if (!argument) throw parseError('a function lacks its interval')
  const [first, ...rest] = argument.tokens
  if (first?.kind !== 'word' || first.text.toUpperCase() !== 'INTERVAL')
    return `to_days(CAST(${argument.sql} AS INTEGER))`
  const unit = rest.at(-1)
  if (unit?.kind !== 'word' || rest.length < 2) throw parseError('INTERVAL needs a number and a unit')
  const count = argument.sql.slice(argument.sql.indexOf(' ') + 1, argument.sql.lastIndexOf(' '))
  return `INTERVAL (${count}) ${unit.text}`
}

function dateFormat(argument: Argument | undefined): string {
  const literal = argument?.tokens.length === 1 ? argument.tokens[0] : undefined
  if (literal?.kind !== 'string') throw notSupported('a date format that is not a literal')
  return literal.text.replace(/%(.)/gs, (_, letter: string) => {
    const format = formatLetters[letter]
    if (format === undefined) throw notSupported(`%${letter} in a date format`)
    return format
  })
}
