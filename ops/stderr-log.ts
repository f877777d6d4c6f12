import { pino } from 'pino'
import type { Log } from '../runtime/log.ts'

/** The ports' log of a command: on stderr, so that stdout holds results only. */
export const openStderrLog = (level: string): Log => pino({ level, base: { service: 'settle' } }, pino.destination(2))
