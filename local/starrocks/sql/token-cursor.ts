import { parseError } from './sql-error.ts'
import { type Token, tokenize } from './sql-lexer.ts'

/** Walks the tokens of one statement; every expectation that fails names what stands there instead. */
export class TokenCursor {
  readonly sql: string
  readonly tokens: readonly Token[]
  #at = 0

  constructor(sql: string) {
    this.sql = sql
    const tokens = tokenize(sql)
    while (tokens.at(-1)?.text === ';' && tokens.at(-1)?.kind === 'symbol') tokens.pop()
    const separator = tokens.find(token => token.kind === 'symbol' && token.text === ';')
    if (separator)
      throw parseError(`one statement at a time: there is more after ';' at character ${separator.start + 1}`)
    this.tokens = tokens
  }

  get position(): number {
    return this.#at
  }

  get atEnd(): boolean {
    return this.#at >= this.tokens.length
  }

  peek(ahead = 0): Token | undefined {
    return this.tokens[this.#at + ahead]
  }

  next(): Token {
    const token = this.tokens[this.#at]
    if (!token) throw parseError('Unexpected end of the statement')
    this.#at += 1
    return token
  }

  /** True when the next tokens are these words (in any case) or symbols. */
  looksAt(...texts: string[]): boolean {
    return texts.every((text, ahead) => {
      const token = this.peek(ahead)
      if (!token || (token.kind !== 'word' && token.kind !== 'symbol')) return false
      return token.text.toUpperCase() === text
    })
  }

  /** Takes these words or symbols when they come next. */
  take(...texts: string[]): boolean {
    if (!this.looksAt(...texts)) return false
    this.#at += texts.length
    return true
  }

  expect(...texts: string[]): void {
    for (const text of texts) if (!this.take(text)) throw this.unexpected(text)
  }

  identifier(what: string): string {
    const token = this.next()
    if (token.kind !== 'word' && token.kind !== 'quoted') throw this.unexpectedToken(token, what)
    return token.text
  }

  string(what: string): string {
    const token = this.next()
    if (token.kind !== 'string') throw this.unexpectedToken(token, what)
    return token.text
  }

  integer(what: string): number {
    const token = this.next()
    if (token.kind !== 'number' || !/^\d{1,9}$/.test(token.text)) throw this.unexpectedToken(token, what)
    return Number(token.text)
  }

  /** `( item , item … )` */
  list<T>(item: () => T): T[] {
    this.expect('(')
    const items = [item()]
    while (this.take(',')) items.push(item())
    this.expect(')')
    return items
  }

  end(): void {
    const token = this.peek()
    if (token) throw this.unexpectedToken(token, 'the end of the statement')
  }

  /** The source text from the token at the cursor to the end of the statement. */
  rest(): string {
    const first = this.peek()
    const last = this.tokens.at(-1)
    if (!first || !last) throw parseError('Unexpected end of the statement')
    return this.sql.slice(first.start, last.end)
  }

  unexpected(wanted: string): Error {
    const token = this.peek()
    return token
      ? this.unexpectedToken(token, wanted)
      : parseError(`Unexpected end of the statement, expected ${wanted}`)
  }

  unexpectedToken(token: Token, wanted: string): Error {
    return parseError(`Unexpected input '${token.text}' at character ${token.start + 1}, expected ${wanted}`)
  }
}
