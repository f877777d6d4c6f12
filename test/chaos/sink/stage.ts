import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { canMount } from '../../../runtime/testing/can-mount.ts'
import type { ChaosRun } from '../chaos-run.ts'
import { StreamStage } from '../stream-stage.ts'
import { SmallDisk } from './small-disk.ts'
import { StarRocksDoor } from './starrocks-door.ts'
import { SinkWorld } from './world.ts'

/** Each of three instances has two. */
const partitions = 6

/** Kafka, the StarRocks stand-in, a disk for the archive, a stream made by `settle init`; processes not started yet. */
export class SinkStage {
  readonly stream: StreamStage<'starrocks'>
  readonly world: SinkWorld
  readonly starrocks: StarRocksDoor
  /** Where the archive's instances write. */
  readonly archiveDir: string
  /** Null where nothing may be mounted. */
  readonly disk: SmallDisk | null

  private constructor({ run, stream, disk, archiveDir }: Parts) {
    const { admin } = stream.stack.starrocks
    if (admin === undefined) throw new Error('the stand-in has no admin door')
    this.stream = stream
    this.archiveDir = archiveDir
    this.disk = disk
    this.starrocks = new StarRocksDoor(admin)
    this.world = new SinkWorld({
      ...{ names: stream.names, dir: run.dir, trace: run.trace, kafka: stream.kafka, disk },
      ...{ broker: stream.server('kafka'), starrocks: this.starrocks, engineEnv: stream.engineEnv },
      serviceEnv: {
        bridge: stream.envOf('bridge'),
        repartition: stream.envOf('repartition'),
        load: stream.envOf('load'),
        archive: stream.envOf('archive'),
      },
    })
  }

  static async open(run: ChaosRun): Promise<SinkStage> {
    const archiveDir = join(run.dir, 'archive')
    const disk = canMount ? await SmallDisk.mount(archiveDir) : null
    await mkdir(archiveDir, { recursive: true })
    try {
      const stream = await StreamStage.open(run, {
        servers: ['starrocks'],
        ...{ partitions, users: 300, archiveDir, skip: ['scylladb'] },
        // Production's default: each flush is a dozen loads that a small machine has to carry.
        intervals: { flushMs: 1000 },
      })
      try {
        const stage = new SinkStage({ run, stream, disk, archiveDir })
        await stream.init()
        return stage
      } catch (error) {
        await stream.close({ data: 'kept' })
        throw error
      }
    } catch (error) {
      await disk?.unmount({ data: 'removed' })
      throw error
    }
  }

  async close({ data }: { readonly data: 'kept' | 'removed' }): Promise<void> {
    await this.world.end('SIGKILL')
    await this.disk?.unmount({ data })
    if (data === 'removed') await rm(this.archiveDir, { recursive: true, force: true })
    await this.stream.close({ data })
  }
}

type Parts = {
  readonly run: ChaosRun
  readonly stream: StreamStage<'starrocks'>
  readonly disk: SmallDisk | null
  readonly archiveDir: string
}
