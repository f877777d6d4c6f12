import { parseError } from './sql-error.ts'

/** A token of StarRocks' SQL. `start` and `end` are offsets into the statement; `text` is unescaped and unquoted. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'variable' | 'symbol'
  readonly text: string
  readonly start: number
  readonly end: number
}

const wordPattern = /[\p{L}_$][\p{L}\p{N}_$]*/uy
const numberPattern = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y
const variablePattern = /@@?(?:(?:global|session|local)\.)?[\w$.]+/iy
const symbolPattern = /<=>|<=|>=|<>|!=|==|\|\||&&|:=|->>?|<<|>>|[-+*/%=<>(),.;!?:&|^~[\]{}]/y
const blankPattern = /\s+|--(?=\s|$)[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\//y

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', '0': '\0', b: '\b', Z: '\x1a' }

/**
 * Cuts a statement into tokens. Strings stand in '…' or "…" with MySQL's escapes, identifiers in `…`; comments vanish.
 * @throws SqlError 1064 for an unclosed string, comment or identifier and for a character that starts no token
 */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < sql.length) {
    const blank = match(blankPattern, sql, at)
    if (blank !== undefined) {
      at += blank.length
      continue
    }
    const token = readToken(sql, at)
    tokens.push(token)
    at = token.end
  }
  return tokens
}

function readToken(sql: string, start: number): Token {
  const first = sql[start] as string
  if (first === "'" || first === '"') return readString(sql, start, first)
  if (first === '`') return readQuoted(sql, start)
  if (sql.startsWith('/*', start)) throw parseError(`the comment at character ${start + 1} is not closed`)
  const candidates = [
    ['number', numberPattern],
    ['variable', variablePattern],
    ['word', wordPattern],
    ['symbol', symbolPattern],
  ] as const
  for (const [kind, pattern] of candidates) {
    const text = match(pattern, sql, start)
    if (text !== undefined) return { kind, text, start, end: start + text.length }
  }
  throw parseError(`Unexpected input '${first}' at character ${start + 1}`)
}

function match(pattern: RegExp, sql: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(sql)?.[0]
}

function readString(sql: string, start: number, quote: string): Token {
  let text = ''
  let at = start + 1
  while (at < sql.length) {
    const char = sql[at] as string
    if (char === '\\' && at + 1 < sql.length) {
      const next = sql[at + 1] as string
      // \% and \_ keep their backslash: LIKE gives it its meaning.
      text += next === '%' || next === '_' ? `\\${next}` : (escapes[next] ?? next)
      at += 2
    } else if (char === quote && sql[at + 1] === quote) {
      text += quote
      at += 2
    } else if (char === quote) {
      return { kind: 'string', text, start, end: at + 1 }
    } else {
      text += char
      at += 1
    }
  }
  throw parseError(`the string at character ${start + 1} is not closed`)
}

function readQuoted(sql: string, start: number): Token {
  const end = sql.indexOf('`', start + 1)
  if (end < 0) throw parseError(`the identifier at character ${start + 1} is not closed`)
  if (end === start + 1) throw parseError(`the identifier at character ${start + 1} is empty`)
  return { kind: 'quoted', text: sql.slice(start + 1, end), start, end: end + 1 }
}
