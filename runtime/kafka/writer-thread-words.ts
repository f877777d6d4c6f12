import type { PackedBatch } from './batch-slab.ts'
import type { ClientOptions } from './client.ts'
import type { KafkaFailureKind, TxWriter } from './port.ts'

type GroupOffset = Parameters<TxWriter['commitBatch']>[0]['groupOffset']
type Reader = Parameters<TxWriter['proveUnfenced']>[0]

/** What a client is opened with, but for its log, which stays outside: all of it goes from thread to thread as it is. */
export type ThreadClient = Omit<ClientOptions, 'log'>

/** What a writer's thread is born with. */
export type WriterThreadData = {
  readonly client: ThreadClient
  readonly transactionalId: string
  /** Each line is a message: not said when nobody writes it down. */
  readonly clientLog: 'wanted' | 'unwanted'
}

/** One at a time; each is answered once; the beginning is answered, too. */
export type ToWriterThread =
  | { readonly kind: 'commit'; readonly batch: PackedBatch; readonly groupOffset: GroupOffset | null }
  | { readonly kind: 'prove-unfenced'; readonly as: Reader }
  /** Answered by the end of the thread. */
  | { readonly kind: 'close' }

export type FromWriterThread =
  | { readonly kind: 'opened' }
  /** The slab of the batch comes back to be filled again. */
  | { readonly kind: 'committed'; readonly slab: ArrayBuffer }
  | { readonly kind: 'unfenced' }
  /** As it was classified in there. The writer is spent, or was never opened. */
  | { readonly kind: 'failed'; readonly failure: KafkaFailureKind; readonly message: string }
  | { readonly kind: 'log'; readonly fields: object; readonly message: string }
