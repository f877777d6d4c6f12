/** Why a service ended, as its process tells whoever started it. */
export const exitCodes = {
  /** Stopped as asked. */
  done: 0,
  /** Something failed that a restart may mend. */
  failed: 1,
  /** Settings or arguments are wrong. */
  usage: 2,
  /** The contract is broken or in doubt: a restart changes nothing, an operator must look. */
  refused: 3,
} as const

export type StopReason = 'failed' | 'usage' | 'refused'

/**
 * A service can't go on. `message` names the thing, the value and the way out; `code` is the stable word that log,
 * metric and runbook share.
 */
export class Stop extends Error {
  override readonly name = 'Stop'
  readonly code: string
  readonly reason: StopReason
  readonly context: Readonly<Record<string, unknown>>

  constructor(options: {
    readonly code: string
    readonly reason: StopReason
    readonly message: string
    readonly context?: Readonly<Record<string, unknown>>
    readonly cause?: unknown
  }) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = options.code
    this.reason = options.reason
    this.context = options.context ?? {}
  }
}

/** The contract is broken or in doubt: an operator must look before this service goes on. */
export const refuse = (code: string, message: string, context: Readonly<Record<string, unknown>> = {}): Stop =>
  new Stop({ code, reason: 'refused', message, context })
