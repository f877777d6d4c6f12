import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { createInterface } from 'node:readline'

/** One JSON object that a process printed. */
export type Line = Readonly<Record<string, unknown>>

/** How one life of a process ended, and who asked for it. */
export type Exit = {
  readonly name: string
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly asked: 'kill' | 'stop' | 'nobody'
  /** Its last line of level error or fatal; null when it had none. */
  readonly lastError: Line | null
  readonly livedMs: number
  /** Whether it listened to signals: from its first word to its last. */
  readonly hears: 'not yet' | 'yes' | 'no longer'
}

export type SupervisedOptions = {
  readonly name: string
  readonly entry: string
  /** Asked at each start: a later life may be told something else. */
  readonly env: () => Readonly<Record<string, string>>
  readonly logFile: string
  readonly onLine: (line: Line) => void
  readonly onStart: (pid: number) => void
  readonly onExit: (exit: Exit) => void
  /** Before each start: nothing may come up while somebody looks at what is frozen. */
  readonly gate: () => Promise<void>
}

/** What production's supervisor waits before it starts again what died. */
const restartMs = 100

type Life = {
  readonly child: ChildProcess
  readonly startedMs: number
  readonly over: Promise<void>
  asked: Exit['asked']
  holds: number
  lastError: Line | null
  hears: Exit['hears']
}

/** A process that is started again whenever it ends, until it is retired; meanwhile it may be killed, stopped, frozen. */
export class Supervised {
  readonly name: string
  readonly #options: SupervisedOptions
  readonly #log: WriteStream
  #life: Life | null = null
  #isRetired = false
  #starts = 0
  #loop: Promise<void> = Promise.resolve()

  constructor(options: SupervisedOptions) {
    this.name = options.name
    this.#options = options
    this.#log = createWriteStream(options.logFile, { flags: 'a' })
  }

  get pid(): number | null {
    return this.#life?.child.pid ?? null
  }

  get starts(): number {
    return this.#starts
  }

  start(): void {
    this.#loop = this.#supervise()
  }

  /** SIGKILL; it comes up again. False when there is nothing to kill. */
  kill(): boolean {
    return this.#signal('SIGKILL', 'kill')
  }

  /** SIGTERM; it comes up again. False when there is nothing to stop. */
  terminate(): boolean {
    return this.#signal('SIGTERM', 'stop')
  }

  /**
   * SIGSTOP. Returns what lets it go on: SIGCONT, once everybody who holds this life has let go. Null when there is
   * nothing to freeze.
   */
  hold(): (() => void) | null {
    const life = this.#life
    if (!life?.child.kill('SIGSTOP')) return null
    life.holds++
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      life.holds--
      if (life.holds === 0 && life === this.#life) life.child.kill('SIGCONT')
    }
  }

  /** SIGSTOP for as long as the wait takes. False when there is nothing to freeze. */
  async holdWhile(wait: Promise<unknown>): Promise<boolean> {
    const release = this.hold()
    if (!release) return false
    await wait
    release()
    return true
  }

  /** Ends it for good: by SIGTERM within the bound, by SIGKILL otherwise or at once. */
  async retire({
    with: how,
    withinMs,
  }: {
    readonly with: 'SIGTERM' | 'SIGKILL'
    readonly withinMs: number
  }): Promise<void> {
    this.#isRetired = true
    const life = this.#life
    if (life) {
      this.#signal(how, how === 'SIGKILL' ? 'kill' : 'stop')
      life.child.kill('SIGCONT')
      const isOver = await Promise.race([life.over.then(() => true), delay(withinMs, false, { ref: false })])
      if (!isOver) life.child.kill('SIGKILL')
      await life.over
    }
    await this.#loop
    await new Promise<void>(resolve => this.#log.end(() => resolve()))
  }

  async #supervise(): Promise<void> {
    while (!this.#isRetired) {
      await this.#options.gate()
      if (this.#isRetired) return
      const life = this.#spawn()
      this.#life = life
      await life.over
      this.#life = null
      if (!this.#isRetired) await delay(restartMs)
    }
  }

  #spawn(): Life {
    const { name, entry, env, onLine, onStart, onExit } = this.#options
    this.#starts++
    const child = spawn(process.execPath, [entry], {
      env: env(),
      stdio: ['ignore', 'pipe', 'pipe'],
      // A session of its own, as a service manager gives it: Ctrl-C reaches us alone, and Linux shares the cores out
      // among sessions, so that a dozen services of one shell would starve beside anything else.
      detached: true,
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    const life: Life = {
      child,
      startedMs: performance.now(),
      over: promise,
      asked: 'nobody',
      holds: 0,
      lastError: null,
      hears: 'not yet',
    }
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', text => {
        this.#log.write(`${text}\n`)
        const line = parsed(text)
        if (!line) return
        life.hears = line['msg'] === 'stopped' ? 'no longer' : 'yes'
        if (line['level'] === 'error' || line['level'] === 'fatal') life.lastError = line
        onLine(line)
      })
    child.once('error', error => this.#log.write(`${error.message}\n`))
    child.once('close', (code, signal) => {
      const { asked, lastError, startedMs, hears } = life
      onExit({ name, code, signal, asked, lastError, hears, livedMs: performance.now() - startedMs })
      resolve()
    })
    if (child.pid !== undefined) onStart(child.pid)
    return life
  }

  #signal(signal: NodeJS.Signals, asked: Exit['asked']): boolean {
    const life = this.#life
    if (!life?.child.kill(signal)) return false
    // A kill after a stop is a kill: the stop can't be seen any more.
    life.asked = asked
    return true
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
