import { type Logger, pino } from 'pino'

export type Log = Logger

/** JSON lines on stdout; bigints as strings. */
export const openLog = (options: { readonly service: string; readonly stream: string; readonly level: string }): Log =>
  pino({
    level: options.level,
    base: { service: options.service, stream: options.stream },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: level => ({ level }) },
    hooks: {
      logMethod(args, method) {
        const [first, ...rest] = args
        const isFields = typeof first === 'object' && first !== null && !(first instanceof Error)
        const shown = isFields ? withPlainNumbers(first) : first
        method.apply(this, [shown, ...rest] as Parameters<typeof method>)
      },
    },
  })

const withPlainNumbers = (fields: object): object =>
  Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, typeof value === 'bigint' ? `${value}` : value]),
  )
