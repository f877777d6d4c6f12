import { join, resolve } from 'node:path'
import { inheritedEnvironment } from './inherited-environment.ts'

export const serviceNames = ['bridge', 'repartition', 'settle', 'load', 'archive'] as const
/** The processes between the engine and the stores. */
export type ServiceName = (typeof serviceNames)[number]

const clone = resolve(import.meta.dirname, '../..')

export const engineEntry = join(clone, 'sim/engine/main.ts')
export const settleEntry = join(clone, 'ops/main.ts')

export const serviceEntries: Readonly<Record<ServiceName, string>> = {
  bridge: join(clone, 'bridge/main.ts'),
  repartition: join(clone, 'processor/repartition/main.ts'),
  settle: join(clone, 'processor/settle/main.ts'),
  load: join(clone, 'sink-starrocks/load/main.ts'),
  archive: join(clone, 'sink-starrocks/archive/main.ts'),
}

/** How often the pipeline closes what it holds open, in milliseconds. Short ones let a verdict cover the last output. */
export type Intervals = {
  readonly tickMs: number
  readonly barrierMs: number
  readonly windowMs: number
  readonly flushMs: number
  /** The store's commit-log sync period, and what settle waits beyond it. */
  readonly storeSyncMs: number
  readonly storeSyncMarginMs: number
}

/** What every service of one stream is told, and `settle` too. */
export const commonEnvironment = (options: {
  readonly stream: string
  readonly partitions: number
  readonly archiveDir: string
  readonly intervals: Intervals
  /** KAFKA_…, CQL_… and STARROCKS_…: where the servers are. */
  readonly servers: Readonly<Record<string, string>>
}): Readonly<Record<string, string>> => ({
  ...inheritedEnvironment(),
  ...options.servers,
  STREAM: options.stream,
  PARTITIONS: `${options.partitions}`,
  // Whoever starts them here reads their log, and waits for their end.
  STOP_LINGER_MS: '0',
  ARCHIVE_DIR: options.archiveDir,
  WINDOW_MS: `${options.intervals.windowMs}`,
})

/** How docs/services.md says to start the services: half the memory at no cost in speed. */
const smallHeap = {
  NODE_OPTIONS: '--max-semi-space-size=8',
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '131072',
} as const

/**
 * The bound says how far beyond what lives the old generation may grow before all of it is collected: 1.8 times with 1536 MB,
 * of which a tenth is used. With 1024 it is 1.6 times, and a busy settle is collected whole twice as often; from 2048 on,
 * 4 times. Its rows wait in pieces of 64 KB, which leave holes where malloc has its small ones.
 */
const settleHeap = {
  ...smallHeap,
  NODE_OPTIONS: '--max-semi-space-size=32 --max-old-space-size=1536',
  MALLOC_MMAP_THRESHOLD_: '65536',
} as const

/** Rows and windows stay outside V8's heap, which the old generation need not be large for. */
const loadHeap = { ...smallHeap, NODE_OPTIONS: '--max-semi-space-size=32 --max-old-space-size=256' } as const
const archiveHeap = { ...smallHeap, NODE_OPTIONS: '--max-semi-space-size=16 --max-old-space-size=256' } as const

/** Whoever writes in a thread takes memory in three at once: with one arena they would wait for each other. */
export const writerThreadHeap = { ...smallHeap, MALLOC_ARENA_MAX: '3' } as const

/** Records of two transactions live at once: in halves of 8 MB each collection would move them. */
const repartitionHeap = { ...writerThreadHeap, NODE_OPTIONS: '--max-semi-space-size=32' } as const

/** What one service is told besides. */
export const ownEnvironment = (
  name: ServiceName,
  { intervals, engine }: { readonly intervals: Intervals; readonly engine: EngineAddresses },
): Readonly<Record<string, string>> => {
  switch (name) {
    case 'bridge':
      return {
        ENGINE_LIVE: `sub:${engine.live}`,
        ENGINE_REPLAY: engine.replay,
        TICK_MS: `${intervals.tickMs}`,
        ...writerThreadHeap,
      }
    case 'repartition':
      return { BARRIER_INTERVAL_MS: `${intervals.barrierMs}`, ...repartitionHeap }
    case 'settle':
      return {
        STORE_SYNC_MS: `${intervals.storeSyncMs}`,
        STORE_SYNC_MARGIN_MS: `${intervals.storeSyncMarginMs}`,
        ...settleHeap,
      }
    case 'load':
      return { FLUSH_MS: `${intervals.flushMs}`, ...loadHeap }
    case 'archive':
      return archiveHeap
  }
}

export type EngineAddresses = { readonly live: string; readonly replay: string }
