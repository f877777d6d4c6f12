import { join } from 'node:path'
import { ServiceProcess } from '../../sim/pipeline/service-process.ts'
import { writerThreadHeap, serviceEntries } from '../../sim/pipeline/services.ts'

const readyWithinMs = 30_000

/** The bridge as anybody starts it, with the settings that it has when nobody says otherwise. */
export const startBridge = async (options: {
  readonly stream: string
  readonly servers: Readonly<Record<string, string>>
  readonly engine: { readonly live: string; readonly replay: string }
  readonly dir: string
}): Promise<ServiceProcess> => {
  const { service } = await ServiceProcess.start({
    name: 'bridge',
    entry: serviceEntries.bridge,
    env: {
      PATH: process.env['PATH'] ?? '',
      ...options.servers,
      STREAM: options.stream,
      ENGINE_LIVE: `sub:${options.engine.live}`,
      ENGINE_REPLAY: options.engine.replay,
      ...writerThreadHeap,
    },
    logFile: join(options.dir, `${options.stream}.log`),
    isReady: ({ msg }) => msg === 'leading from the tail of the log',
    readyWithinMs,
  })
  return service
}
