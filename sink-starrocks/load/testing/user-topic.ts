import type { EngineOutput, ReferenceData, UserRecord } from '../../../core/events.ts'
import { amount, type AssetId, assetId, pos, symbolId, userId } from '../../../core/ids.ts'
import { partitionOf } from '../../../core/partition.ts'
import { splitOutput } from '../../../core/split.ts'

/** Reference data that fits the tiny exchange of core's tests: base 1, quote 2, house 9, symbol 7, lot 10. */
export const tinyReference: ReferenceData = {
  assets: [
    { asset: assetId(1), name: 'BTC', decimals: 8 },
    { asset: assetId(2), name: 'EUR', decimals: 2 },
  ],
  symbols: [
    {
      symbol: symbolId(7),
      name: 'BTC/EUR',
      base: assetId(1),
      quote: assetId(2),
      lot: amount(10n),
      priceScale: 2,
      quantityScale: 4,
    },
  ],
  house: userId(9n),
}

const firstPos = 1_700_000_000_000_000n

/** What repartition would make of these outputs: reference first, a barrier after every `barrierEvery` outputs and at the end. */
export const userTopic = (
  outputs: readonly EngineOutput[],
  {
    partitions,
    barrierEvery,
    reference = tinyReference,
  }: { readonly partitions: number; readonly barrierEvery: number; readonly reference?: ReferenceData },
): UserRecord[][] => {
  const topic = Array.from({ length: partitions }, (): UserRecord[] => [])
  const head = (partition: number, src: number) => ({
    n: BigInt((topic[partition] as UserRecord[]).length + 1),
    src: BigInt(src),
    pos: pos(firstPos + BigInt(src)),
  })
  const toAll = (make: (partition: number) => UserRecord): void => {
    const records = topic.map((_, partition) => make(partition))
    for (const [partition, record] of records.entries()) topic[partition]?.push(record)
  }
  toAll(partition => ({ ...head(partition, 0), kind: 'UserReference', time: firstPos, reference }))
  for (const [index, output] of outputs.entries()) {
    const src = index + 1
    for (const share of splitOutput(output)) {
      const partition = partitionOf(share.user, partitions)
      topic[partition]?.push({ ...head(partition, src), ...share, kind: 'UserOutput', time: output.time })
    }
    if (src % barrierEvery === 0 || src === outputs.length) {
      const ns = topic.map(records => BigInt(records.length + 1))
      const none: { asset: AssetId; amount: bigint }[] = []
      toAll(partition => ({ ...head(partition, src), kind: 'Barrier', previous: pos(0n), ns, flow: none }))
    }
  }
  return topic
}
