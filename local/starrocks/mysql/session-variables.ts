import { imitatedVersion, serverVersion } from '../sql/select-translation.ts'
import { notSupported, SqlError } from '../sql/sql-error.ts'
import type { TokenCursor } from '../sql/token-cursor.ts'

const versionComment = 'StarRocks stand-in over DuckDB, not StarRocks'

const defaults: Record<string, string> = {
  autocommit: '1',
  auto_increment_increment: '1',
  auto_increment_offset: '1',
  character_set_client: 'utf8mb4',
  character_set_connection: 'utf8mb4',
  character_set_database: 'utf8mb4',
  character_set_results: 'utf8mb4',
  character_set_server: 'utf8mb4',
  collation_connection: 'utf8mb4_general_ci',
  collation_database: 'utf8mb4_general_ci',
  collation_server: 'utf8mb4_general_ci',
  current_version: imitatedVersion,
  foreign_key_checks: '1',
  have_query_cache: 'NO',
  init_connect: '',
  interactive_timeout: '28800',
  license: '',
  lower_case_table_names: '0',
  max_allowed_packet: '33554432',
  net_buffer_length: '16384',
  net_read_timeout: '60',
  net_write_timeout: '60',
  performance_schema: '0',
  query_cache_size: '0',
  query_cache_type: '0',
  query_timeout: '300',
  sql_auto_is_null: '0',
  sql_mode: 'ONLY_FULL_GROUP_BY',
  sql_quote_show_create: '1',
  sql_safe_updates: '0',
  sql_select_limit: '18446744073709551615',
  system_time_zone: 'UTC',
  time_zone: 'UTC',
  transaction_isolation: 'READ-COMMITTED',
  transaction_read_only: '0',
  tx_isolation: 'READ-COMMITTED',
  tx_read_only: '0',
  unique_checks: '1',
  version: serverVersion,
  version_comment: versionComment,
  wait_timeout: '28800',
}

/** The variables of one MySQL session. Setting one is remembered, and changes nothing but query_timeout. */
export class SessionVariables {
  readonly #values = new Map(Object.entries(defaults))

  /** @throws SqlError 1193 */
  get(name: string): string {
    const value = this.#values.get(name.toLowerCase())
    if (value === undefined) throw new SqlError(1193, `Unknown system variable '${name}'`)
    return value
  }

  entries(): [string, string][] {
    return [...this.#values]
  }

  /** The statement after SET. @throws SqlError 1193 for a variable that is not there */
  apply(cursor: TokenCursor): void {
    if (cursor.take('NAMES') || cursor.take('CHARACTER', 'SET') || cursor.take('CHARSET')) {
      cursor.next()
      if (cursor.take('COLLATE')) cursor.next()
      return cursor.end()
    }
    cursor.take('SESSION')
    if (cursor.take('TRANSACTION')) return
    do this.#assign(cursor)
    while (cursor.take(','))
    cursor.end()
  }

  #assign(cursor: TokenCursor): void {
    for (const scope of ['SESSION', 'GLOBAL', 'LOCAL']) cursor.take(scope)
    const token = cursor.next()
    const name = token.text.replace(/^@@(?:(?:global|session|local)\.)?/i, '')
    if (token.kind === 'variable' && !token.text.startsWith('@@'))
      throw new SqlError(1193, `the user variable ${token.text} is not supported by the StarRocks stand-in`)
    if (!cursor.take('=')) cursor.expect(':=')
    this.get(name)
    let value = ''
    while (!cursor.atEnd && !cursor.looksAt(',')) {
      const part = cursor.next()
      value += part.kind === 'variable' ? this.get(part.text.replace(/^@@(?:\w+\.)?/, '')) : part.text
    }
    // now() and friends are in UTC and stay there; a session that asks for another zone would read wrong times.
    if (name.toLowerCase() === 'time_zone' && !['UTC', '+00:00', 'SYSTEM', 'GMT'].includes(value.toUpperCase())) {
      throw notSupported(`time_zone ${value}, only UTC is,`)
    }
    this.#values.set(name.toLowerCase(), value)
  }
}
