import type { LoadVerdict } from './stream-load-port.ts'

/** What one attempt came to, before anyone judges it. */
export type LoadOutcome =
  /** The server's own words. */
  | {
      readonly kind: 'answered'
      readonly status: string
      readonly message: string
      readonly existingJobStatus: string
      readonly loadedRows: number
      readonly errorUrl: string | undefined
    }
  /** Something that is not the JSON of a load. */
  | { readonly kind: 'unreadable'; readonly httpStatus: number; readonly text: string; readonly body: BodyState }
  /** The connection failed, or a bound was reached. */
  | { readonly kind: 'failed'; readonly reason: string; readonly body: BodyState }
  /** Sent to a host that is not on the list. */
  | { readonly kind: 'foreign-host'; readonly host: string; readonly allowed: readonly string[] }

/** Whether the server can have any row: only once it asked for the body. */
export type BodyState = 'not sent' | 'sent'

/** The one place that judges a Stream Load. `rows` is what was sent. */
export const classifyLoad = (outcome: LoadOutcome, rows: number): LoadVerdict => {
  switch (outcome.kind) {
    case 'answered':
      return classifyAnswer(outcome, rows)
    case 'unreadable': {
      const reason = `HTTP ${outcome.httpStatus}: ${outcome.text.slice(0, 200)}`
      // Credentials do not mend by asking again.
      if (outcome.httpStatus === 401 || outcome.httpStatus === 403)
        return { kind: 'fatal', code: 'starrocks-access', reason }
      return doubt(outcome.body, reason)
    }
    case 'failed':
      return doubt(outcome.body, outcome.reason)
    case 'foreign-host':
      // Rows and credentials go to hosts that an operator named, wherever a frontend points.
      return {
        kind: 'fatal',
        code: 'starrocks-load-host',
        reason: `the frontend sends loads to ${outcome.host}, which is not in STARROCKS_LOAD_HOSTS (${outcome.allowed.join(', ')}); add it if it is yours`,
      }
  }
}

/** Without the body nothing can have been loaded; with it the transaction may have been committed before the break. */
const doubt = (body: BodyState, reason: string): LoadVerdict =>
  body === 'not sent' ? { kind: 'retry', reason } : { kind: 'poll', reason }

const classifyAnswer = (answer: Extract<LoadOutcome, { kind: 'answered' }>, rows: number): LoadVerdict => {
  const { status, message, loadedRows } = answer
  switch (status) {
    case 'Success':
    case 'OK':
      if (loadedRows === rows) return { kind: 'done' }
      // Committed, but not what was sent: loading more on top of it would hide the loss.
      return {
        kind: 'fatal',
        code: 'starrocks-row-count',
        reason: `${rows} rows were sent, StarRocks says it loaded ${loadedRows}: ${message}`,
      }
    // Committed; only waiting for all replicas to show it ran out of time.
    case 'Publish Timeout':
      return { kind: 'committed', reason: message }
    case 'Label Already Exists':
      return existingLabel(answer)
    default:
      return classifyFailure(answer)
  }
}

/** Labels are random, so an existing one is an earlier attempt of this very batch. FINISHED is said from the commit on. */
const existingLabel = ({ existingJobStatus, message }: { existingJobStatus: string; message: string }): LoadVerdict =>
  existingJobStatus === 'FINISHED' ? { kind: 'committed', reason: message } : { kind: 'poll', reason: message }

type FailureRule = { readonly pattern: RegExp; readonly verdict: (reason: string) => LoadVerdict }

const fatal =
  (code: string) =>
  (reason: string): LoadVerdict => ({ kind: 'fatal', code, reason })
const refused = (reason: string): LoadVerdict => ({ kind: 'refused', reason, detail: '' })
const poll = (reason: string): LoadVerdict => ({ kind: 'poll', reason })

const failureRules: readonly FailureRule[] = [
  // Some versions report an existing label as a plain failure; whether it finished, only its state tells.
  { pattern: /Label \[.*\] has already been used/, verdict: poll },
  // The backend lost sight of a commit that the frontend may have made.
  { pattern: /transaction status unknown/i, verdict: poll },
  // The same rows will be refused again.
  { pattern: /too many filtered rows/i, verdict: refused },
  { pattern: /primary key size exceed/i, verdict: refused },
  { pattern: /exceed the max size .* of json type data/i, verdict: refused },
  // Rights and schema are an operator's to mend.
  { pattern: /access denied|no valid basic authorization/i, verdict: fatal('starrocks-access') },
  { pattern: /unknown (database|table)|(database|table) .*does not exist/i, verdict: fatal('starrocks-schema') },
  { pattern: /unknown column|has no default value|merge condition column/i, verdict: fatal('starrocks-schema') },
  { pattern: /only primary key table support/i, verdict: fatal('starrocks-schema') },
  // Ours to mend: the request is not one that StarRocks takes.
  { pattern: /100-continue header|label format error|not supported by/i, verdict: fatal('starrocks-request') },
]

/** Rolled back, unless a rule says otherwise: the label of an aborted load may be used again. */
const classifyFailure = ({ status, message }: { status: string; message: string }): LoadVerdict => {
  const reason = `${status}: ${message}`
  const rule = failureRules.find(({ pattern }) => pattern.test(message))
  return rule ? rule.verdict(reason) : { kind: 'retry', reason }
}

/** What a label's state says of the load that it names. */
export const classifyState = (state: string, reason: string): LoadVerdict => {
  switch (state) {
    case 'VISIBLE':
      return { kind: 'done' }
    case 'COMMITTED':
      return { kind: 'committed', reason: 'committed, not visible yet' }
    case 'PREPARE':
    case 'PREPARED':
      return { kind: 'poll', reason: 'still running' }
    case 'ABORTED':
      return { kind: 'retry', reason: `aborted: ${reason}` }
    // Never begun, or finished and evicted since: the same rows again are harmless by their keys.
    case 'UNKNOWN':
      return { kind: 'retry', reason: 'the label is unknown' }
    default:
      return { kind: 'poll', reason: `label state ${JSON.stringify(state)} ${reason}` }
  }
}
