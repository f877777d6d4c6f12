import { parentPort, workerData } from 'node:worker_threads'
import { unpackBatch } from './batch-slab.ts'
import { type ClientLog, openClient } from './client.ts'
import { KafkaFailure } from './port.ts'
import { GuardedTxWriter } from './tx-writer.ts'
import type { FromWriterThread, ToWriterThread, WriterThreadData } from './writer-thread-words.ts'

// The other end of ThreadedTxWriter: one writer, told one thing at a time. Failures of Kafka are answered; anything else
// that is thrown is a bug and ends the thread, which the other end takes for an answer, too.

const { client, transactionalId, clientLog } = workerData as WriterThreadData

const say = (said: FromWriterThread, transferred: ArrayBuffer[] = []): void =>
  parentPort?.postMessage(said, transferred)
const pass: ClientLog['debug'] = (fields, message) => {
  try {
    say({ kind: 'log', fields, message })
  } catch {
    // Something among them can't leave the thread; that must not be what a request fails of.
    say({ kind: 'log', fields: {}, message })
  }
}
const log: ClientLog = { debug: clientLog === 'wanted' ? pass : () => {} }
const opening = GuardedTxWriter.open({
  client: openClient({ ...client, log }),
  transactionalId,
  limits: client.limits,
})

const fail = (error: unknown): void => {
  if (!(error instanceof KafkaFailure)) throw error
  say({ kind: 'failed', failure: error.kind, message: error.message })
}

const obey = async (word: ToWriterThread): Promise<void> => {
  const writer = await opening
  switch (word.kind) {
    case 'commit': {
      const { batch, groupOffset } = word
      await writer.commitBatch({ records: unpackBatch(batch), ...(groupOffset ? { groupOffset } : {}) })
      return say({ kind: 'committed', slab: batch.slab }, [batch.slab])
    }
    case 'prove-unfenced':
      await writer.proveUnfenced(word.as)
      return say({ kind: 'unfenced' })
    case 'close':
      await writer.close()
      process.exit()
  }
}

parentPort?.on('message', (word: ToWriterThread) => void obey(word).catch(fail))
opening.then(() => say({ kind: 'opened' }), fail)
