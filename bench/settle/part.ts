import type { Part } from '../part.ts'
import { figuresOf } from './figures.ts'
import { measureThroughput } from './throughput.ts'
import { openStream } from './stream.ts'

/** `engine.outputs` → ScyllaDB: repartition and settle beside the design they replace and beside the bare store. */
export const settlePart: Part = {
  name: 'settle',
  servers: ['kafka', 'cassandra', 'starrocks'],
  async run({ stack, say }) {
    const run = Date.now().toString(36)
    await using stream = await openStream(stack, `bench_${run}`)
    const rounds = await measureThroughput(stream, say)
    return figuresOf({ rounds })
  },
}
