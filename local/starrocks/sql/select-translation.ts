import { quoteName, quoteText } from '../store/database.ts'
import { functionRewrite } from './function-rewrites.ts'
import { selectAliases } from './select-aliases.ts'
import { notSupported, parseError } from './sql-error.ts'
import { type Token, tokenize } from './sql-lexer.ts'

/** What a query may ask of the session that sends it. */
export interface QueryContext {
  readonly database: string | undefined
  readonly user: string
  readonly connectionId: number
  /** @throws SqlError 1193 for an unknown variable */
  readonly variable: (name: string) => string
}

export const serverVersion = '8.0.33'
/** What `current_version()` answers: the StarRocks whose grammar and answers are imitated. */
export const imitatedVersion = '3.5.0-stand-in'

const symbolRewrites: Record<string, string> = { '&&': 'AND', '<=>': 'IS NOT DISTINCT FROM' }

const refusedSymbols: Record<string, string> = {
  '||': 'the operator || (OR in StarRocks, unless sql_mode says otherwise): write OR or concat()',
  '!': 'the operator !: write NOT',
  ':=': 'the operator :=',
  '?': 'a ? parameter',
  '==': 'the operator ==',
  '^': 'the operator ^: use bitxor()',
}

/**
 * Rewrites one StarRocks query or row-changing statement for DuckDB: quoting, session functions and variables,
 * functions that are called otherwise, names of unnamed result columns. Whatever else differs, DuckDB refuses itself.
 * @throws SqlError for what would silently mean something else in DuckDB
 */
export function translateQuery(sql: string, context: QueryContext): string {
  const tokens = tokenize(sql)
  while (isSymbol(tokens.at(-1), ';')) tokens.pop()
  return new Translator(sql, tokens, context).emit(0, tokens.length)
}

const isSymbol = (token: Token | undefined, text: string): boolean => token?.kind === 'symbol' && token.text === text

const isWord = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'word' && token.text.toUpperCase() === text

class Translator {
  readonly #tokens: readonly Token[]
  readonly #context: QueryContext
  readonly #aliases: ReadonlyMap<number, string>

  constructor(sql: string, tokens: readonly Token[], context: QueryContext) {
    this.#tokens = tokens
    this.#context = context
    this.#aliases = selectAliases(sql, tokens)
  }

  /** The tokens from `from` up to but without `to`. */
  emit(from: number, to: number): string {
    let text = ''
    let at = from
    while (at < to) {
      const before = this.#tokens[at - 1]
      const gap = before && at > from && before.end < (this.#tokens[at] as Token).start ? ' ' : ''
      const piece = this.#piece(at, to)
      text += gap + piece.text
      at = piece.next
      const alias = this.#aliases.get(at - 1)
      if (alias !== undefined) text += ` AS ${quoteName(alias)}`
    }
    return text
  }

  #piece(at: number, to: number): { text: string; next: number } {
    const token = this.#tokens[at] as Token
    switch (token.kind) {
      case 'string':
        return { text: this.#string(at, token), next: at + 1 }
      case 'quoted':
        return { text: this.#identifier(at, quoteName(token.text), token.text), next: at + 1 }
      case 'number':
        return { text: token.text, next: at + 1 }
      case 'symbol':
        return { text: this.#symbol(token), next: at + 1 }
      case 'variable':
        return { text: this.#variable(token.text), next: at + 1 }
      case 'word':
        return this.#word(at, to, token)
    }
  }

  #string(at: number, token: Token): string {
    // DuckDB's LIKE has no escape character unless one is named; StarRocks' is the backslash.
    const escaped = isWord(this.#tokens[at - 1], 'LIKE') && token.text.includes('\\')
    return quoteText(token.text) + (escaped ? " ESCAPE '\\'" : '')
  }

  #symbol(token: Token): string {
    const refused = refusedSymbols[token.text]
    if (refused !== undefined) throw notSupported(refused)
    return symbolRewrites[token.text] ?? token.text
  }

  #variable(written: string): string {
    if (!written.startsWith('@@')) throw notSupported(`the user variable ${written}`)
    const value = this.#context.variable(written.slice(2).replace(/^(global|session|local)\./i, ''))
    return /^\d{1,15}$/.test(value) ? value : quoteText(value)
  }

  #identifier(at: number, text: string, name: string): string {
    const qualifies = isSymbol(this.#tokens[at + 1], '.') && !isSymbol(this.#tokens[at - 1], '.')
    return qualifies && name.toLowerCase() === 'information_schema' ? '_information_schema' : text
  }

  #word(at: number, to: number, token: Token): { text: string; next: number } {
    const name = token.text.toUpperCase()
    const afterDot = isSymbol(this.#tokens[at - 1], '.')
    if (!afterDot && isSymbol(this.#tokens[at + 1], '(')) {
      const call = this.#call(at, to, name.toLowerCase())
      if (call) return call
    }
    if (!afterDot && name === 'DIV') return { text: '//', next: at + 1 }
    if (!afterDot && name === 'LARGEINT' && isWord(this.#tokens[at - 1], 'AS')) return { text: 'HUGEINT', next: at + 1 }
    if (!afterDot && name === 'SIGNED' && isWord(this.#tokens[at - 1], 'AS')) return { text: 'BIGINT', next: at + 1 }
    if (!afterDot && name === 'LIMIT') return this.#limit(at)
    const constant = afterDot ? undefined : bareConstants[name]
    if (constant !== undefined && !isWord(this.#tokens[at - 1], 'AS')) return { text: constant, next: at + 1 }
    return { text: this.#identifier(at, token.text, token.text), next: at + 1 }
  }

  /** MySQL's `LIMIT offset, count`. */
  #limit(at: number): { text: string; next: number } {
    const [offset, comma, count] = [at + 1, at + 2, at + 3].map(index => this.#tokens[index])
    if (offset?.kind === 'number' && isSymbol(comma, ',') && count?.kind === 'number') {
      return { text: `LIMIT ${count.text} OFFSET ${offset.text}`, next: at + 4 }
    }
    return { text: 'LIMIT', next: at + 1 }
  }

  #call(at: number, to: number, name: string): { text: string; next: number } | undefined {
    const session = this.#sessionFunction(name)
    const rewrite = session === undefined ? functionRewrite(name) : () => session
    if (!rewrite) return undefined
    const { ranges, next } = this.#arguments(at + 1, to)
    const args = ranges.map(range => ({
      sql: this.emit(range.from, range.to),
      tokens: this.#tokens.slice(range.from, range.to),
    }))
    return { text: rewrite(args), next }
  }

  #sessionFunction(name: string): string | undefined {
    switch (name) {
      case 'database':
      case 'schema':
        return this.#context.database === undefined ? 'NULL' : quoteText(this.#context.database)
      case 'version':
        return quoteText(serverVersion)
      case 'current_version':
        return quoteText(imitatedVersion)
      case 'user':
      case 'current_user':
      case 'session_user':
        return quoteText(`'${this.#context.user}'@'%'`)
      case 'connection_id':
        return String(this.#context.connectionId)
      default:
        return undefined
    }
  }

  /** The arguments of the call whose `(` stands at `open`. */
  #arguments(open: number, to: number): { ranges: { from: number; to: number }[]; next: number } {
    const ranges: { from: number; to: number }[] = []
    let depth = 0
    let from = open + 1
    for (let at = open; at < to; at += 1) {
      const token = this.#tokens[at] as Token
      if (token.kind !== 'symbol') continue
      if (token.text === '(' || token.text === '[') depth += 1
      if (token.text === ')' || token.text === ']') depth -= 1
      const ends = depth === 0 || (depth === 1 && token.text === ',')
      if (ends && at > from) ranges.push({ from, to: at })
      if (depth === 0) return { ranges, next: at + 1 }
      if (ends) from = at + 1
    }
    throw parseError(`the parenthesis at character ${(this.#tokens[open] as Token).start + 1} is not closed`)
  }
}

const utcNow = 'CAST(now() AS TIMESTAMP)'

const bareConstants: Record<string, string> = {
  CURRENT_TIMESTAMP: utcNow,
  LOCALTIMESTAMP: utcNow,
  LOCALTIME: utcNow,
  CURRENT_DATE: `CAST(${utcNow} AS DATE)`,
}
