import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { PipelineError } from './pipeline-error.ts'

export type ServiceCommand = {
  readonly name: string
  /** Path of its main.ts. */
  readonly entry: string
  readonly env: Readonly<Record<string, string>>
  /** Everything it prints is appended here. */
  readonly logFile: string
  /** Whether a parsed line of its stdout says that it serves. */
  readonly isReady: (line: Line) => boolean
  readonly onLine?: (line: Line) => void
  readonly readyWithinMs: number
}

/** One JSON object of a service's stdout. */
export type Line = Readonly<Record<string, unknown>>

export type Exit = {
  readonly code: number
  /** The message of its last line that tells an error, else its last line. */
  readonly message: string
}

/** One service as a child process. It is stopped by SIGTERM, and by SIGKILL only when it does not stop in time. */
export class ServiceProcess {
  readonly name: string
  /** Resolves when the process has ended and its log is written; never rejects. */
  readonly ended: Promise<Exit>
  readonly #child: ChildProcess
  readonly #command: ServiceCommand
  readonly #ready = Promise.withResolvers<Line>()
  #lastLine = ''
  #lastError = ''
  #isRunning = true

  private constructor(command: ServiceCommand) {
    this.name = command.name
    this.#command = command
    const log = createWriteStream(command.logFile, { flags: 'a' })
    this.#child = spawn(process.execPath, [command.entry], { env: command.env, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (!stream) continue
      stream.pipe(log, { end: false })
      createInterface({ input: stream }).on('line', line => this.#read(line))
    }
    this.ended = new Promise(resolve => {
      this.#child.once('error', error => this.#read(error.message))
      this.#child.once('close', (code, signal) => {
        this.#isRunning = false
        log.end()
        const message = this.#lastError || this.#lastLine || `ended by ${signal ?? 'itself'} without a word`
        resolve({ code: code ?? 1, message })
      })
    })
  }

  /**
   * Starts the service and waits until it says that it serves.
   * @throws PipelineError when it ends before that, or takes too long
   */
  static async start(command: ServiceCommand): Promise<{ readonly service: ServiceProcess; readonly ready: Line }> {
    const service = new ServiceProcess(command)
    const died = service.ended.then(exit => {
      throw new PipelineError(`${command.name} ended with exit code ${exit.code}: ${exit.message}`, {
        exitCode: exit.code === 0 ? 1 : exit.code,
        logFile: command.logFile,
      })
    })
    const late = timeout(command.readyWithinMs)
    const ready = await Promise.race([service.#ready.promise, died, late.promise]).finally(late.clear)
    if (ready !== 'late') return { service, ready }
    await service.stop({ withinMs: 1000 })
    throw new PipelineError(`${command.name} was not ready within ${command.readyWithinMs} ms`, {
      exitCode: 1,
      logFile: command.logFile,
    })
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  /** @throws PipelineError when it could not even be started */
  get pid(): number {
    const { pid } = this.#child
    if (pid !== undefined) return pid
    throw new PipelineError(`${this.name} has no process`, { exitCode: 1, logFile: this.logFile })
  }

  get logFile(): string {
    return this.#command.logFile
  }

  /** SIGTERM, and SIGKILL when it takes longer than `withinMs`. Fine on one that has ended. */
  async stop({ withinMs }: { readonly withinMs: number }): Promise<Exit> {
    this.#child.kill('SIGTERM')
    const late = timeout(withinMs)
    const outcome = await Promise.race([this.ended, late.promise]).finally(late.clear)
    if (outcome !== 'late') return outcome
    const { message } = await this.kill()
    return { code: 1, message: `did not stop within ${withinMs} ms and was killed; its last words: ${message}` }
  }

  /** SIGKILL. Fine on one that has ended. */
  kill(): Promise<Exit> {
    this.#child.kill('SIGKILL')
    return this.ended
  }

  #read(text: string): void {
    if (text.trim() === '') return
    const line = parsed(text)
    if (line === null) {
      if (!/^\s+at /.test(text)) this.#lastLine = text
      return
    }
    this.#lastLine = typeof line['msg'] === 'string' ? line['msg'] : text
    if (isError(line) && typeof line['msg'] === 'string') this.#lastError = line['msg']
    this.#command.onLine?.(line)
    if (this.#command.isReady(line)) this.#ready.resolve(line)
  }
}

const parsed = (text: string): Line | null => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Line) : null
  } catch {
    return null
  }
}

/** By name, as the services write levels; by number, as pino does on its own. */
const isError = ({ level }: Line): boolean => level === 'fatal' || level === 'error' || Number(level) >= 50

const timeout = (ms: number): { readonly promise: Promise<'late'>; readonly clear: () => void } => {
  const { promise, resolve } = Promise.withResolvers<'late'>()
  const timer = setTimeout(() => resolve('late'), ms)
  return { promise, clear: () => clearTimeout(timer) }
}
