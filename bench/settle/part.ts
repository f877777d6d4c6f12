import type { Part } from '../part.ts'
import { openStoreSlack } from '../store-slack.ts'
import { figuresOf } from './figures.ts'
import { measureLatency } from './latency.ts'
import { openStream } from './stream.ts'
import { measureThroughput } from './throughput.ts'

/** Engine → ScyllaDB: repartition and settle beside the design they replace, the bare store, and a bare chain. */
export const settlePart: Part = {
  name: 'settle',
  servers: ['kafka', 'cassandra', 'starrocks'],
  sizes: 'one',
  async run({ stack, say }) {
    const run = Date.now().toString(36)
    await using throughput = await openStream(stack, `bench_${run}`)
    const slack = openStoreSlack(stack, say)
    const rounds = await measureThroughput(throughput, slack, say)
    await using live = await openStream(stack, `bench_live_${run}`)
    await using bare = await openStream(stack, `bench_chain_${run}`)
    slack.late()
    const latencies = await measureLatency(live, bare, stack, say)
    return figuresOf({ rounds, latencies, store: slack.told })
  },
}
