import { engineEntry } from '../../sim/pipeline/services.ts'
import type { Cast } from './cast.ts'
import type { Line, Supervised } from './supervised.ts'
import type { Trace } from './trace.ts'

export type EngineOptions = {
  readonly cast: Cast
  readonly trace: Trace
  /** What it is told, but for what faults change. */
  readonly env: Readonly<Record<string, string>>
  readonly onLine?: (line: Line) => void
}

/** The engine of a run. Each life is a session; it goes on without a flow once it is told to. */
export class Engine {
  readonly process: Supervised
  /** How much of its live frames the next life loses. */
  lossPercent = 0
  readonly #trace: Trace
  #isFlowOver = false
  #sessions = 0
  #outputs = 0
  #flowDone = Promise.withResolvers<number>()

  constructor({ cast, trace, env, onLine }: EngineOptions) {
    this.#trace = trace
    this.process = cast.add({
      name: 'engine',
      entry: engineEntry,
      env: () => ({
        ...env,
        ENGINE_LIVE_LOSS: `${this.lossPercent}`,
        ...(this.#isFlowOver && { ENGINE_ORDERS: '0' }),
      }),
      onLine: line => {
        onLine?.(line)
        this.#read(line)
      },
    })
  }

  get sessions(): number {
    return this.#sessions
  }

  /** That it told of. */
  get outputs(): number {
    return this.#outputs
  }

  /** It goes on without a flow, in one more session; resolves with how many outputs there are. */
  async endFlow(): Promise<number> {
    this.#isFlowOver = true
    this.lossPercent = 0
    this.#flowDone = Promise.withResolvers<number>()
    // While it is being started again there is nobody to tell; it is told as it comes up.
    this.process.terminate()
    return this.#flowDone.promise
  }

  #read(line: Line): void {
    const { kind, outputs } = line
    if (kind === 'ready') {
      this.#sessions++
      this.#trace.note(`engine serves, ${JSON.stringify(line['session'])}, losing ${this.lossPercent} %`)
    }
    if (typeof outputs === 'number') this.#outputs = Math.max(outputs, this.#outputs)
    if (kind === 'done' && this.#isFlowOver) this.#flowDone.resolve(Number(outputs))
  }
}
