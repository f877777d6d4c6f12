import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpListener, Listener } from './http-listener.ts'

interface Doors {
  readonly http: HttpListener
  readonly mysql: Listener
}

/** Opens both doors at these ports; 0 chooses a free one. */
export type OpenDoors = (ports: { readonly http: number; readonly mysql: number }) => Promise<Doors>

/** The frontend's doors, which can be gone for a while: a restart cuts every connection and keeps the ports. */
export class Frontend implements AsyncDisposable {
  readonly httpPort: number
  readonly mysqlPort: number
  readonly #open: OpenDoors
  readonly #closing = new AbortController()
  #doors: Doors | undefined
  #restarting: Promise<void> = Promise.resolve()

  private constructor(open: OpenDoors, doors: Doors) {
    this.#open = open
    this.#doors = doors
    this.httpPort = doors.http.port
    this.mysqlPort = doors.mysql.port
  }

  static async open(open: OpenDoors, ports: { readonly http: number; readonly mysql: number }): Promise<Frontend> {
    return new Frontend(open, await open(ports))
  }

  get state(): 'up' | 'down' {
    return this.#doors ? 'up' : 'down'
  }

  /** Down at once, up again after so long. Restarts follow one another. */
  restart(downMs: number): Promise<void> {
    const restart = async (): Promise<void> => {
      if (this.#closing.signal.aborted) return
      const doors = this.#doors
      this.#doors = undefined
      await Promise.all([doors?.http.cut(), doors?.mysql[Symbol.asyncDispose]()])
      await sleep(downMs, undefined, { signal: this.#closing.signal }).catch(() => undefined)
      if (this.#closing.signal.aborted) return
      this.#doors = await this.#open({ http: this.httpPort, mysql: this.mysqlPort })
    }
    this.#restarting = this.#restarting.then(restart)
    return this.#restarting
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#restarting.catch(() => undefined)
    await Promise.all([this.#doors?.mysql[Symbol.asyncDispose](), this.#doors?.http[Symbol.asyncDispose]()])
  }
}
