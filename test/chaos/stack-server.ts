import { freezeServer, startServer, stopServer } from '../../local/stack.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** One server of a run's stack, which may be killed or frozen: one thing at a time. */
export class StackServer {
  readonly id: string
  readonly #env: Environment
  #state: 'up' | 'down' | 'frozen' = 'up'

  constructor(id: string, env: Environment) {
    this.id = id
    this.#env = env
  }

  get state(): 'up' | 'down' | 'frozen' {
    return this.#state
  }

  /** SIGKILL, and after the wait the start with the same data; resolves when it serves again. */
  async killAndStart(wait: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
    this.#state = 'down'
    await stopServer(this.id, { env: this.#env, with: 'SIGKILL' })
    await wait()
    await startServer(this.id, { env: this.#env })
    this.#state = 'up'
  }

  /** SIGSTOP for as long as the wait takes. */
  async freezeWhile(wait: Promise<unknown>): Promise<void> {
    const thaw = freezeServer(this.id, { env: this.#env })
    this.#state = 'frozen'
    try {
      await wait
    } finally {
      thaw()
      this.#state = 'up'
    }
  }
}
