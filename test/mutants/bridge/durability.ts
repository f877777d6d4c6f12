import type { Mutant } from '../mutant.ts'
import { unit, byBridge, byLink, commit, term, writer } from './places.ts'

/** Durable, then acknowledged; unknown is neither. */
export const durability: readonly Mutant[] = [
  {
    name: 'each output has a transaction of its own',
    file: writer,
    find: 'if (gatherForMs > 0 && ',
    replace: 'if (gatherForMs > 0 && this.queue.count === 0 && ',
    caughtBy: byBridge('lets few outputs come together between one transaction and the next'),
  },
  {
    name: 'an ACK goes out before the commit',
    file: writer,
    find: commit,
    replace: `const early = batch.at(-1)
    if (early) {
      this.#durable = positionOf(early)
      this.#onDurable(this.#durable)
    }
    ${commit}`,
    caughtBy: byBridge('acknowledges nothing that is not committed'),
  },
  {
    name: 'an ACK says what is queued',
    file: term,
    find: 'const { epoch, random, seq } = this.#writer.durable',
    replace: 'const { epoch, random, seq } = this.at',
    caughtBy: byBridge('acknowledges nothing that is not committed'),
  },
  {
    name: 'the last ACK is said once',
    file: term,
    find: 'if (clock.monotonicMs() - this.#ackedMs >= limits.ackRepeatMs) this.#acknowledge()',
    replace: '',
    caughtBy: byBridge('says the last ACK again and again while nothing comes'),
  },
  {
    name: 'a commit whose end is unknown is taken for done',
    file: writer,
    find: commit,
    replace: `await this.#writer
      .commitBatch({ records, ...(answered ? { groupOffset: this.#answered(answered) } : {}) })
      .catch(() => {})`,
    caughtBy: byBridge('a commit whose end is not known and that was not made: nothing is lost'),
  },
  {
    name: 'a commit whose end is unknown is made again without reading the tail',
    file: writer,
    find: commit,
    replace: `const again = { records, ...(answered ? { groupOffset: this.#answered(answered) } : {}) }
    await this.#writer.commitBatch(again).catch(async () => {
      const { kafka } = this.#ports
      const other = await kafka.openTxWriter({ transactionalId: this.#settings.names.transactionalIds.bridge })
      await other.commitBatch(again)
    })`,
    caughtBy: byBridge('a commit whose end is not known and that was made: nothing is lost'),
  },
  {
    name: 'what was taken before a stop is not written',
    file: writer,
    find: 'while (!signal.aborted || this.queue.count > 0) {',
    replace: 'while (!signal.aborted) {',
    caughtBy: byBridge('writes what was taken before a stop'),
  },
  {
    name: 'a Tick does not say where the log stands',
    file: writer,
    find: "encodeLogRecord({ kind: 'Tick', pos, at: this.#durable })",
    replace: "encodeLogRecord({ kind: 'Tick', pos, at: { ...this.#durable, seq: 0n } })",
    caughtBy: byBridge('writes a Tick when nothing else comes, that carries where the log stands'),
  },
  {
    name: 'nothing else is heard while messages wait',
    file: 'bridge/zeromq.ts',
    find: 'if (++this.#receivedInTurn >= limits.receivesPerTurn) {',
    replace: 'if (++this.#receivedInTurn < 0) {',
    caughtBy: byLink('lets other things be heard while messages wait by the hundred'),
  },
  {
    name: 'the queue has no bound',
    file: term,
    find: 'if (queue.full && !this.#mustHear(source)) {',
    replace: 'if (queue.full && queue.count < 0) {',
    caughtBy: byBridge('reads no further than its queue goes while nothing can be written'),
  },
  {
    name: 'a full queue is deaf to the clock that it waits for',
    file: term,
    find: "return source === 'live' && this.#guard.waiting && this.#link.replays",
    replace: "return source === 'live' && this.#guard.waiting && !this.#link.replays",
    caughtBy: byBridge('hears the engine’s clock though its queue is full'),
  },
  {
    name: 'a queue is never full by bytes',
    file: 'bridge/bounded-queue.ts',
    find: ' || this.#bytes >= this.#maxBytes',
    replace: '',
    caughtBy: unit('bridge/bounded-queue.unit.test.ts')('is full by count or by bytes'),
  },
]
