import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { z } from 'zod'
import { nodeFiles } from '../../runtime/files.ts'
import { openKafkaFrom } from '../../runtime/kafka/kafka.ts'
import { runService } from '../../runtime/service.ts'
import { kafkaSettings, setting } from '../../runtime/settings.ts'
import { ArchiveService } from './archive-service.ts'
import { checkSettings, limits } from './limits.ts'

const whole = ({
  default: preset,
  ...bounds
}: {
  readonly min: number
  readonly max: number
  readonly default: number
}) => z.string().default(`${preset}`).pipe(setting.integer(bounds))

await runService({
  name: 'archive',
  settings: {
    ...kafkaSettings,
    /** Partitions of `user.outputs`. */
    PARTITIONS: whole(limits.partitions),
    /** Must exist: a mount that is not there is not written under. */
    ARCHIVE_DIR: setting.text,
    WINDOW_MS: whole(limits.windowMs),
    /** Stands in the names of unfinished files; one that stays over restarts lets them be cleared. */
    INSTANCE: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be at most 64 letters, digits, _ and -')
      .default(
        `${hostname()
          .replaceAll(/[^A-Za-z0-9_-]/g, '-')
          .slice(0, 48)}-${process.pid}`,
      ),
  },
  start: async (settings, context) => {
    checkSettings(settings)
    const kafka = openKafkaFrom(settings, {
      clientId: `${settings.STREAM}.archive.${settings.INSTANCE}`,
      log: context.log,
      gatherMs: limits.gatherMs,
    })
    const service = new ArchiveService({
      ...context,
      kafka,
      files: nodeFiles,
      random: () => randomBytes(6).toString('hex'),
      stream: settings.STREAM,
      partitions: settings.PARTITIONS,
      dir: resolve(settings.ARCHIVE_DIR),
      windowMs: settings.WINDOW_MS,
      instance: settings.INSTANCE,
    })
    return { service, close: () => kafka.close() }
  },
})
