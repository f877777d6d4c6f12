import { spawn } from 'node:child_process'

export type CommandOutcome = {
  /** Null when it was ended: it took too long, or the signal was aborted. */
  readonly exitCode: number | null
  /** The end of what it said. */
  readonly said: string
}

const saidChars = 200_000

/** Runs a script under this Node in a process group of its own, which is ended as a whole when it takes too long. */
export const runNode = (
  args: readonly string[],
  options: {
    readonly dir: string
    readonly env: NodeJS.ProcessEnv
    readonly withinMs: number
    readonly signal: AbortSignal
  },
): Promise<CommandOutcome> =>
  new Promise((resolve, reject) => {
    options.signal.throwIfAborted()
    const child = spawn(process.execPath, args, {
      cwd: options.dir,
      env: options.env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    const hear = (chunk: Buffer): void => void (said = (said + chunk.toString()).slice(-saidChars))
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    const end = (): void => {
      if (child.pid === undefined) return
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has just ended by itself.
      }
    }
    const timer = setTimeout(end, options.withinMs)
    options.signal.addEventListener('abort', end, { once: true })
    const over = (): void => {
      clearTimeout(timer)
      options.signal.removeEventListener('abort', end)
    }
    child.once('error', error => {
      over()
      reject(error)
    })
    child.once('close', exitCode => {
      over()
      resolve({ exitCode, said })
    })
  })
