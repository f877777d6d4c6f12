import type { Token } from './sql-lexer.ts'

const listEnds = new Set([
  'FROM',
  'WHERE',
  'GROUP',
  'HAVING',
  'ORDER',
  'LIMIT',
  'UNION',
  'EXCEPT',
  'INTERSECT',
  'MINUS',
  'QUALIFY',
  'WINDOW',
])
const operators = new Set(['AND', 'OR', 'NOT', 'LIKE', 'IN', 'IS', 'BETWEEN', 'DIV', 'MOD', 'THEN', 'ELSE', 'INTERVAL'])

/**
 * Names for the select items that have none: StarRocks names such a column after the text of its expression, DuckDB
 * otherwise (`count_star()`). Keyed by the index of the item's last token.
 */
export function selectAliases(sql: string, tokens: readonly Token[]): Map<number, string> {
  const aliases = new Map<number, string>()
  tokens.forEach((token, index) => {
    if (token.kind !== 'word' || token.text.toUpperCase() !== 'SELECT') return
    for (const item of selectItems(tokens, index + 1)) {
      const part = tokens.slice(item.from, item.to)
      if (needsName(part)) aliases.set(item.to - 1, sql.slice(part[0]?.start, part.at(-1)?.end))
    }
  })
  return aliases
}

function* selectItems(tokens: readonly Token[], start: number): Generator<{ from: number; to: number }> {
  const modifier = tokens[start]
  const first =
    modifier?.kind === 'word' && ['DISTINCT', 'ALL'].includes(modifier.text.toUpperCase()) ? start + 1 : start
  let from = first
  let depth = 0
  for (let at = first; at <= tokens.length; at += 1) {
    const token = tokens[at]
    if (token?.kind === 'symbol' && (token.text === '(' || token.text === '[')) depth += 1
    if (token?.kind === 'symbol' && (token.text === ')' || token.text === ']')) depth -= 1
    const over = !token || depth < 0 || (depth === 0 && token.kind === 'word' && listEnds.has(token.text.toUpperCase()))
    const comma = depth === 0 && token?.kind === 'symbol' && token.text === ','
    if ((over || comma) && at > from) yield { from, to: at }
    if (over) return
    if (comma) from = at + 1
  }
}

function needsName(item: readonly Token[]): boolean {
  const last = item.at(-1)
  const before = item.at(-2)
  if (!last || (last.kind === 'symbol' && last.text === '*')) return false
  if (item.length === 1) return last.kind === 'variable'
  if (
    item.every(token => token.kind === 'word' || token.kind === 'quoted' || token.text === '.') &&
    before?.text === '.'
  ) {
    return false
  }
  const named = last.kind === 'word' || last.kind === 'quoted' || last.kind === 'string'
  if (!named) return true
  if (last.kind === 'word' && last.text.toUpperCase() === 'END') return true
  if (before?.kind === 'word') return operators.has(before.text.toUpperCase())
  // After a value or a closed parenthesis the word is an alias without AS; after an operator it is an operand.
  return before?.kind === 'symbol' && before.text !== ')' && before.text !== ']'
}
