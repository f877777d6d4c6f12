/** What a person can put right, said in one line that names the thing, the value and the way out. */
export class SetupError extends Error {
  /** 2: asked for what cannot be (settings, a busy port, missing tools, too little memory). 1: a server failed. */
  readonly exitCode: 1 | 2

  constructor(message: string, options: { exitCode?: 1 | 2; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SetupError'
    this.exitCode = options.exitCode ?? 2
  }
}
