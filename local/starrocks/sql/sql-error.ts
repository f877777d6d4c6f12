/** A refusal that a MySQL client sees: StarRocks' error number and as near its wording as is known. */
export class SqlError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.name = 'SqlError'
    this.code = code
  }
}

export const parseError = (message: string): SqlError =>
  new SqlError(1064, `Getting syntax error. Detail message: ${message}.`)

export const analysisError = (message: string): SqlError =>
  new SqlError(1064, `Getting analyzing error. Detail message: ${message}.`)

export const notSupported = (what: string): SqlError =>
  new SqlError(1235, `${what} is not supported by the StarRocks stand-in`)

export const unknownDatabase = (database: string): SqlError => new SqlError(1049, `Unknown database '${database}'`)

export const unknownTable = (database: string, table: string): SqlError =>
  new SqlError(5502, `Getting analyzing error. Detail message: Unknown table '${database}.${table}'.`)

export const noDatabase = (): SqlError => new SqlError(1046, 'No database selected')

/** Turns what DuckDB threw into what a StarRocks client may expect; a SqlError passes unchanged. */
export function asSqlError(error: unknown): SqlError {
  if (error instanceof SqlError) return error
  const text = error instanceof Error ? error.message : String(error)
  const firstLine = text.split('\n')[0] ?? text
  if (firstLine.startsWith('Parser Error')) return parseError(firstLine)
  const table = /Table with name (\S+) does not exist/.exec(firstLine)
  if (table) return new SqlError(5502, `Getting analyzing error. Detail message: Unknown table '${table[1]}'.`)
  const missingFunction = /Function with name (\S+) does not exist/.exec(firstLine)
  if (missingFunction) return analysisError(`No matching function with signature: ${missingFunction[1]}(...)`)
  const column = /column "([^"]+)" not found/.exec(firstLine)
  if (column) return analysisError(`Column '${column[1]}' cannot be resolved`)
  if (firstLine.startsWith('INTERRUPT')) return new SqlError(1064, 'Query reached its timeout')
  if (firstLine.includes('Out of Memory')) return new SqlError(1064, `Memory of query exceed limit. ${firstLine}`)
  return new SqlError(1064, firstLine)
}
