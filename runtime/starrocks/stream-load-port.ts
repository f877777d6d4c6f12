/** What the load service asks of StarRocks: rows into a table, once or again, and what became of a load in doubt. */
export interface StreamLoadPort {
  /**
   * One attempt to load one body, whatever it takes in redirects and answers. Never rejects for what network or
   * server do: the verdict says it. An aborted signal cuts the attempt, which leaves it in doubt.
   */
  load(request: LoadRequest, signal?: AbortSignal): Promise<LoadVerdict>
  /** What became of a label. Never rejects. */
  labelState(label: { readonly database: string; readonly label: string }, signal?: AbortSignal): Promise<LoadVerdict>
}

export type LoadRequest = {
  readonly database: string
  readonly table: string
  /** Names this batch of rows: `^[-\w]{1,128}$`. Sent again with the same rows only. */
  readonly label: string
  /** Names of the body's fields, in their order. */
  readonly columns: readonly string[]
  /** CSV in UTF-8: tab between fields, \n after each row, \N for NULL; `enclosed`: fields may stand in double quotes. */
  readonly form: 'plain' | 'enclosed'
  readonly body: Buffer
  readonly rows: number
  /** Rows replace what is there only where this column is at least as large. */
  readonly mergeCondition?: string
}

/** What is known of a load, and with it what to do next. */
export type LoadVerdict =
  /** Durable and visible. */
  | { readonly kind: 'done' }
  /** Durable, visible soon. Never send again. */
  | { readonly kind: 'committed'; readonly reason: string }
  /** It may have happened or may still happen: ask for the label's state. */
  | { readonly kind: 'poll'; readonly reason: string }
  /** It did not happen: the same rows may be sent under the same label. */
  | { readonly kind: 'retry'; readonly reason: string }
  /** The server refused rows; it will refuse them again. `detail` names row, column and reason as it said them. */
  | { readonly kind: 'refused'; readonly reason: string; readonly detail: string }
  /** Sending again will not help. `code` is the stable word for log and metric. */
  | { readonly kind: 'fatal'; readonly code: string; readonly reason: string }
