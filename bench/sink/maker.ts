import { join } from 'node:path'
import type { MakerAnswer, MakerQuestion } from '../settle/maker/questions.ts'
import type { SinkStream } from './stream.ts'
import { Worker } from '../worker.ts'

/** What the topics say that the exchange had; windows of the archive are filled by it. */
export const outputsPerSecond = 500

export type Maker = Worker<object, MakerQuestion, MakerAnswer>

export const startMaker = ({ brokers, names }: SinkStream): Promise<Maker> =>
  Worker.start(join(import.meta.dirname, '../settle/maker/main.ts'), [
    ...[brokers.join(','), names.topics.log, `${outputsPerSecond}`],
  ])
