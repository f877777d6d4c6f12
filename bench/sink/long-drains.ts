import { type MemoryAlong, MemoryOfDrain } from '../settle/growth.ts'
import type { SinkStream } from './stream.ts'
import { drainByArchive } from './drain-by-archive.ts'
import { startLoadLife } from './load-life.ts'
import { startMaker } from './maker.ts'
import { prepareTopics, type Round } from './rounds.ts'

const within = { withinMs: 600_000 }
/** What each of the two must take in one drain, and the least that shows whether memory grows. */
const rowsOfDrain = { full: 2_000_000, least: 1_000_000 } as const

export type LongDrain = { readonly rows: number; readonly memory: MemoryAlong }

/** load and archive, each in one process over as many rows as the bar asks for. */
export const measureMemory = async (
  stream: SinkStream,
  {
    rounds,
    scale,
    say,
  }: { readonly rounds: readonly Round[]; readonly scale: number; readonly say: (line: string) => void },
): Promise<{ readonly load: LongDrain; readonly archive: LongDrain }> => {
  const { place } = stream
  await using ending = new AsyncDisposableStack()
  const maker = await startMaker(stream)
  ending.defer(() => maker.stop())
  say('funding the users')
  await maker.ask({ kind: 'open' }, within)
  const perTrade = Math.min(
    ...rounds.flatMap(({ trades, load, archive }) => [load.rows / trades, archive.rows / trades]),
  )
  const trades = Math.ceil(Math.max(rowsOfDrain.full * scale, rowsOfDrain.least) / perTrade)
  const { ends, lastPos } = await prepareTopics(stream, maker, { kind: 'trade', trades })
  const [loadMemory, archiveMemory] = [new MemoryOfDrain(), new MemoryOfDrain()]
  const life = await startLoadLife(place)
  ending.defer(() => life.kill())
  const load = await life.drain(ends, { onlooker: loadMemory, ...within })
  await life.stop()
  say(`load: ${load.rows} rows of ${trades} trades in ${Math.round(load.seconds)} s`)
  const archive = await drainByArchive(place, { ends, lastPos, onlooker: archiveMemory, ...within })
  say(`archive: ${archive.rows} rows in ${Math.round(archive.seconds)} s`)
  return {
    load: { rows: load.rows, memory: loadMemory.along(load.records) },
    archive: { rows: archive.rows, memory: archiveMemory.along(archive.records) },
  }
}
