import type { EnginePosition, LogRecord } from '../../core/events.ts'
import type { KafkaRecord } from '../../runtime/kafka/port.ts'
import { nowhere, positionProblem } from '../log-position.ts'
import type { Tally } from './tally.ts'

const table = 'engine.outputs'

/**
 * Whether the log follows from itself: pos strictly rises and is each record's time, the engine's outputs are dense
 * in their sessions, and each one's chain is the hash of its own bytes on the chain before.
 */
export class LogCheck {
  readonly #tally: Tally
  #at: EnginePosition = nowhere
  #pos = 0n

  constructor(tally: Tally) {
    this.#tally = tally
  }

  take(record: LogRecord, { offset, value, timestampMs }: KafkaRecord): void {
    const broken = (problem: string): void =>
      this.#tally.differ('Kafka', table, { kind: 'broken', key: `offset=${offset} pos=${record.pos}`, problem })
    this.#tally.compared('Kafka', table)
    if (record.pos <= this.#pos) broken(`pos does not rise: it follows ${this.#pos}`)
    if (timestampMs !== record.pos / 1000n) broken(`its time in Kafka is ${timestampMs} ms, not pos / 1000`)
    const problem = positionProblem(this.#at, record, value)
    if (problem !== null) broken(problem)
    this.#pos = record.pos
    this.#at = record.at
  }
}
