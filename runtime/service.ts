import { Gauge, type Registry } from 'prom-client'
import type { z } from 'zod'
import { type Clock, systemClock } from './clock.ts'
import { startHttpDoor } from './http-door.ts'
import { KafkaFailure } from './kafka/port.ts'
import { type Log, openLog } from './log.ts'
import { openMetrics } from './metrics.ts'
import { commonSettings, type Environment, parseSettings } from './settings.ts'
import { exitCodes, Stop } from './stop.ts'

/** What a service is handed besides its own ports. */
export type ServiceContext = {
  readonly log: Log
  readonly metrics: Registry
  readonly clock: Clock
}

/** A running service, as /healthz shows it. */
export interface Service {
  /** Goes on until the signal is aborted, then drains and resolves. Rejects with Stop when it can't go on. */
  run(signal: AbortSignal): Promise<void>
  /** Loop state and what an operator would ask first; `ok` false answers 503. */
  health(): { readonly ok: boolean; readonly [detail: string]: unknown }
}

type Definition<Shape extends z.ZodRawShape> = {
  readonly name: string
  readonly settings: Shape
  /** Connects the real ports and builds the service around them. */
  readonly start: (
    settings: z.output<z.ZodObject<Shape & typeof commonSettings>>,
    context: ServiceContext,
  ) => Promise<{ readonly service: Service; readonly close: () => Promise<void> }>
}

/** Runs one service as this process: settings, log, metrics, health, signals, exit code. */
export const runService = async <Shape extends z.ZodRawShape>(
  definition: Definition<Shape>,
  env: Environment = process.env,
): Promise<void> => {
  let log: Log | undefined
  try {
    const shape = { ...definition.settings, ...commonSettings }
    const settings: z.output<z.ZodObject<Shape & typeof commonSettings>> = parseSettings(shape, env)
    const common = parseSettings(commonSettings, env)
    log = openLog({ service: definition.name, stream: common.STREAM, level: common.LOG_LEVEL })
    const metrics = openMetrics({ service: definition.name, stream: common.STREAM })
    dieLoudly(definition.name, log)
    process.exitCode = await serve({ definition, settings, common, log, metrics })
  } catch (error) {
    process.exitCode = report(error, definition.name, log)
  }
  // Sockets of clients in the middle of a retry may hold the process; what had to be durable is.
  setTimeout(() => process.exit(), 1000).unref()
}

const serve = async <Shape extends z.ZodRawShape>({
  definition,
  settings,
  common,
  log,
  metrics,
}: {
  readonly definition: Definition<Shape>
  readonly settings: z.output<z.ZodObject<Shape & typeof commonSettings>>
  readonly common: {
    readonly HTTP_HOST: string
    readonly HTTP_PORT: number
    readonly DRAIN_TIMEOUT_MS: number
    readonly STOP_LINGER_MS: number
  }
  readonly log: Log
  readonly metrics: Registry
}): Promise<number> => {
  const stopping = new AbortController()
  const onSignal = (name: string): void => {
    if (stopping.signal.aborted) return
    log.info({ signal: name }, 'stopping')
    stopping.abort()
    setTimeout(() => {
      log.error({ timeoutMs: common.DRAIN_TIMEOUT_MS }, 'did not drain in time; what is not committed is read again')
      process.exit(exitCodes.failed)
    }, common.DRAIN_TIMEOUT_MS).unref()
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  const { service, close } = await definition.start(settings, { log, metrics, clock: systemClock })
  const stopped = new Gauge({
    name: 'settle_stopped',
    help: '1 with the code of the reason when the service has ended and its process is about to',
    labelNames: ['code'],
    registers: [metrics],
  })
  let ended: { readonly ok: false; readonly [detail: string]: unknown } | null = null
  try {
    await using door = await startHttpDoor({
      host: common.HTTP_HOST,
      port: common.HTTP_PORT,
      metrics,
      health: () => ended ?? service.health(),
    })
    log.info({ http: door.url }, 'started')
    try {
      await service.run(stopping.signal)
    } catch (error) {
      const exitCode = report(error, definition.name, log)
      const code = codeOf(error)
      stopped.set({ code }, 1)
      ended = { ok: false, state: 'ended', code, why: error instanceof Error ? error.message : String(error) }
      // A restart would end the same way: whoever scrapes or asks is shown why before the process goes.
      if (exitCode === exitCodes.refused) await systemClock.sleep(common.STOP_LINGER_MS, stopping.signal)
      return exitCode
    }
    log.info('stopped')
    return exitCodes.done
  } finally {
    await close()
  }
}

/** What nobody caught ends the process, in the words of the log. */
const dieLoudly = (service: string, log: Log): void => {
  process.once('uncaughtException', error => {
    process.exit(report(error, service, log))
  })
}

/** The stable word for what ended a service. */
const codeOf = (error: unknown): string => {
  if (error instanceof Stop) return error.code
  return error instanceof KafkaFailure ? `kafka-${error.kind}` : 'unexpected'
}

const report = (error: unknown, service: string, log: Log | undefined): number => {
  const stop = error instanceof Stop ? error : undefined
  const fields = { code: codeOf(error), ...stop?.context, err: error }
  if (log) log.fatal(fields, stop?.message ?? String(error))
  else process.stderr.write(`${service}: ${stop?.message ?? String(error)}\n`)
  return exitCodes[stop?.reason ?? 'failed']
}
