import type { Part } from '../part.ts'
import { openSinkStream } from './stream.ts'
import { figuresOf } from './figures.ts'
import { measureFreshness } from './freshness.ts'
import { measureMemory } from './long-drains.ts'
import { measureRounds } from './rounds.ts'

/** Topics → StarRocks and CSV: load beside curl, archive beside cp, what both take, and how fresh analysts' rows are. */
export const sinkPart: Part = {
  name: 'sink',
  servers: ['kafka', 'starrocks'],
  sizes: 'any',
  async run({ stack, scale, say }) {
    const run = Date.now().toString(36)
    // First: the stand-in rebuilds the views of every database each minute, and these are small.
    await using live = await openSinkStream(stack, `bench_live_${run}`)
    const freshness = await measureFreshness(live, { stack, scale, say })
    await using stream = await openSinkStream(stack, `bench_${run}`)
    const rounds = await measureRounds(stream, { stack, scale, say })
    await using long = await openSinkStream(stack, `bench_long_${run}`)
    const memory = await measureMemory(long, { rounds, scale, say })
    return figuresOf({ rounds, memory, freshness })
  },
}
