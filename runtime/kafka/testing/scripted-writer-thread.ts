import { parentPort, workerData } from 'node:worker_threads'
import type { KafkaFailureKind } from '../port.ts'
import type { FromWriterThread, ToWriterThread, WriterThreadData } from '../writer-thread-words.ts'

// A writer's thread that knows no Kafka and does what its transactional id says, word by word: the first is what it
// does when it begins, each other one what it does when it is told something.

/** `<kind>`: fails so. */
export type Step = 'well' | 'end' | 'throw' | 'reject' | 'loop' | 'nothing' | KafkaFailureKind

const steps = (workerData as WriterThreadData).transactionalId.split(' ') as Step[]
const say = (said: FromWriterThread, transferred: ArrayBuffer[] = []): void =>
  parentPort?.postMessage(said, transferred)

const act = (step: Step, well: () => void): void => {
  switch (step) {
    case 'well':
      return well()
    case 'end':
      process.exit(7)
    case 'throw':
      throw new Error('a bug')
    case 'reject':
      return void Promise.reject(new Error('a bug that waited'))
    case 'loop':
      for (;;);
    case 'nothing':
      return
    default:
      return say({ kind: 'failed', failure: step, message: `${step}, as it was told in there` })
  }
}

const next = (): Step => steps.shift() ?? 'well'

parentPort?.on('message', (word: ToWriterThread) =>
  act(next(), () => {
    if (word.kind === 'close') process.exit()
    if (word.kind === 'prove-unfenced') return say({ kind: 'unfenced' })
    const { slab } = word.batch
    say({ kind: 'committed', slab }, [slab])
  }),
)
act(next(), () => say({ kind: 'opened' }))
