/** A service of the pipeline did not start, or ended by itself. */
export class PipelineError extends Error {
  override readonly name = 'PipelineError'
  /** As the service's process told it. */
  readonly exitCode: number
  readonly logFile: string

  constructor(message: string, { exitCode, logFile }: { readonly exitCode: number; readonly logFile: string }) {
    super(`${message} (all of its words: ${logFile})`)
    this.exitCode = exitCode
    this.logFile = logFile
  }
}
