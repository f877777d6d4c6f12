import { stackFromFile, startServer, stopServer } from '../../local/stack.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The one Kafka broker of a run, which may be killed or frozen: one thing at a time. */
export class Broker {
  readonly #env: Environment
  #state: 'up' | 'down' | 'frozen' = 'up'
  #kills = 0

  constructor(env: Environment) {
    this.#env = env
  }

  get state(): 'up' | 'down' | 'frozen' {
    return this.#state
  }

  get kills(): number {
    return this.#kills
  }

  /** SIGKILL, then the start with the same data; resolves when it serves again. */
  async killAndStart(): Promise<void> {
    this.#state = 'down'
    this.#kills++
    await stopServer('kafka', { env: this.#env, with: 'SIGKILL' })
    await startServer('kafka', { env: this.#env })
    this.#state = 'up'
  }

  /** SIGSTOP for as long as the wait takes. */
  async freezeWhile(wait: Promise<unknown>): Promise<void> {
    const { servers } = stackFromFile({ env: this.#env, servers: ['kafka'] })
    const pid = servers.find(({ id }) => id === 'kafka')?.process?.pid
    if (pid === undefined) throw new Error('the broker has no process')
    this.#state = 'frozen'
    process.kill(pid, 'SIGSTOP')
    try {
      await wait
    } finally {
      process.kill(pid, 'SIGCONT')
      this.#state = 'up'
    }
  }
}
