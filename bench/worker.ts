import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { inspect } from 'node:util'

/** A process of ours that is told one thing at a time, so that what it costs is not ours. */
export class Worker<Ready, Ask, Answer> {
  readonly #name: string
  readonly #child: ChildProcess
  readonly #ended: Promise<never>
  readonly ready: Ready

  private constructor(name: string, child: ChildProcess, ended: Promise<never>, ready: Ready) {
    this.#name = name
    this.#child = child
    this.#ended = ended
    this.ready = ready
  }

  /** @throws Error when it ends before it is ready */
  static async start<Ready, Ask, Answer>(
    entry: string,
    args: readonly string[] = [],
  ): Promise<Worker<Ready, Ask, Answer>> {
    const child = fork(entry, [...args], { serialization: 'advanced', execArgv: [] })
    const ended = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`${entry} ended with ${signal ?? `exit code ${code}`}; its words stand above`)
    })
    ended.catch(() => {})
    const [ready] = (await Promise.race([once(child, 'message'), ended])) as [Ready]
    return new Worker(entry, child, ended, ready)
  }

  /** @throws Error when it ends, or takes too long */
  async ask(question: Ask, { withinMs }: { readonly withinMs: number }): Promise<Answer> {
    const answered = once(this.#child, 'message')
    this.#child.send(question as object)
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(
      () => late.reject(new Error(`${this.#name} did not answer within ${withinMs} ms: ${inspect(question)}`)),
      withinMs,
    )
    try {
      const [answer] = (await Promise.race([answered, this.#ended, late.promise])) as [Answer]
      return answer
    } finally {
      clearTimeout(timer)
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

/** The other end: says that it is ready, then answers until its parent is gone. What it throws ends it. */
export const serveParent = (ready: object, answer: (question: never) => Promise<object>): void => {
  const tell = (message: object): void => {
    process.send?.(message)
  }
  process.on('message', question => {
    answer(question as never).then(tell, (error: unknown) => {
      console.error(error)
      process.exit(1)
    })
  })
  process.on('disconnect', () => process.exit())
  tell(ready)
}
