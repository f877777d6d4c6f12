import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Log } from '../log.ts'
import { isKept, packBatch } from './batch-slab.ts'
import { classify, classifyWrite } from './classify.ts'
import { writerThreadHeaps } from './limits.ts'
import { KafkaFailure, type TxWriter } from './port.ts'
import { within } from './within.ts'
import type { FromWriterThread, ThreadClient, ToWriterThread, WriterThreadData } from './writer-thread-words.ts'

type Batch = Parameters<TxWriter['commitBatch']>[0]
type Reader = Parameters<TxWriter['proveUnfenced']>[0]

type Options = {
  readonly client: ThreadClient
  readonly transactionalId: string
  readonly log: Log
  /** Another thread than ours, for tests of what a thread may do. */
  readonly entry?: URL
}

const ourEntry = new URL('writer-thread.ts', import.meta.url)

/**
 * A transactional writer in a thread of its own, so that sending costs whoever calls next to nothing. kafkajs and its
 * guards are in there (`GuardedTxWriter`). Here is what a thread adds: it may end or hang with a transaction in its
 * hands, which makes that transaction *unknown*, as an answer of the broker that never came.
 */
export class ThreadedTxWriter implements TxWriter {
  readonly #options: Options
  readonly #thread: Worker
  #state: 'open' | 'writing' | 'spent' = 'open'
  /** What the thread says to the last thing it was told; its beginning is the first. */
  #answer = expected()
  /** The memory of the last batch, for the next one. */
  #slab: ArrayBuffer | null = null

  private constructor(options: Options) {
    const { client, transactionalId, log, entry = ourEntry } = options
    const { brokers, clientId, limits, tls, sasl } = client
    const workerData: WriterThreadData = {
      client: { brokers, clientId, limits, ...(tls ? { tls } : {}), ...(sasl ? { sasl } : {}) },
      transactionalId,
      clientLog: log.isLevelEnabled('debug') ? 'wanted' : 'unwanted',
    }
    this.#options = options
    this.#thread = new Worker(entry, { workerData, resourceLimits: writerThreadHeaps })
    this.#thread.on('message', (said: FromWriterThread) => this.#hear(said))
    this.#thread.on('messageerror', error => this.#lose(`said what can't be read: ${error.message}`))
    this.#thread.on('error', error => this.#lose(`failed: ${error instanceof Error ? error.message : String(error)}`))
    this.#thread.on('exit', code => this.#lose(`ended with code ${code}`))
  }

  /** Starts the thread, in which the writer fences. @throws KafkaFailure */
  static async open(options: Options): Promise<ThreadedTxWriter> {
    const { openWriterMs, threadStartMs } = options.client.limits
    const doing = `open transactional writer ${options.transactionalId}`
    const writer = new ThreadedTxWriter(options)
    try {
      await within(openWriterMs + threadStartMs, doing, writer.#answer.promise)
      return writer
    } catch (error) {
      await writer.#end()
      throw classify(error, doing)
    }
  }

  async commitBatch({ records, groupOffset }: Batch): Promise<void> {
    this.#checkOpen()
    const batch = packBatch(records, this.#slab)
    this.#slab = null
    const doing = `transaction of ${records.length} records by ${this.#options.transactionalId}`
    const slab = await this.#ask(doing, { kind: 'commit', batch, groupOffset: groupOffset ?? null }, [batch.slab])
    if (slab && isKept(slab)) this.#slab = slab
  }

  async proveUnfenced(as: Reader): Promise<void> {
    this.#checkOpen()
    await this.#ask(`ask whether ${this.#options.transactionalId} was fenced`, { kind: 'prove-unfenced', as })
  }

  #checkOpen(): void {
    if (this.#state !== 'open')
      throw new KafkaFailure('unknown', `transactional writer ${this.#options.transactionalId} is ${this.#state}`)
  }

  /** Tells the thread something, and waits for what it says to it. */
  async #ask(doing: string, word: ToWriterThread, transferred: ArrayBuffer[] = []): Promise<ArrayBuffer | null> {
    const { commitMs, threadMs } = this.#options.client.limits
    this.#state = 'writing'
    this.#answer = expected()
    try {
      this.#tell(word, transferred)
      const slab = await within(commitMs + threadMs, doing, this.#answer.promise)
      // It may have been lost with its last word.
      if (this.#state === 'writing') this.#state = 'open'
      return slab
    } catch (error) {
      // What hangs in there must not wake up later and go on.
      await this.#end()
      // In there it was told already what is unknown; that the thread is gone is told here.
      throw error instanceof KafkaFailure && error.kind === 'unknown' ? error : classifyWrite(error, doing)
    }
  }

  async close(): Promise<void> {
    const { client, transactionalId } = this.#options
    if (this.#state === 'open') {
      this.#state = 'spent'
      const ended = once(this.#thread, 'exit')
      this.#tell({ kind: 'close' })
      const { closeMs, threadMs } = client.limits
      await within(closeMs + threadMs, `close transactional writer ${transactionalId}`, ended).catch(() => {})
    }
    await this.#end()
  }

  #tell(word: ToWriterThread, transferred: ArrayBuffer[] = []): void {
    this.#thread.postMessage(word, transferred)
  }

  #hear(said: FromWriterThread): void {
    switch (said.kind) {
      case 'opened':
      case 'unfenced':
        return this.#answer.resolve(null)
      case 'committed':
        return this.#answer.resolve(said.slab)
      case 'failed':
        return this.#answer.reject(new KafkaFailure(said.failure, said.message))
      case 'log':
        return this.#options.log.debug(said.fields, said.message)
    }
  }

  #lose(why: string): void {
    this.#state = 'spent'
    this.#answer.reject(new Error(`its thread ${why}`))
  }

  async #end(): Promise<void> {
    this.#state = 'spent'
    await this.#thread.terminate()
  }
}

/** The thread may be lost while nobody waits for it. */
const expected = (): PromiseWithResolvers<ArrayBuffer | null> => {
  const answer = Promise.withResolvers<ArrayBuffer | null>()
  answer.promise.catch(() => {})
  return answer
}
