import type { Exit, Line } from './supervised.ts'

export type ExitVerdict =
  | { readonly kind: 'fine'; readonly how: string }
  | { readonly kind: 'violation'; readonly how: string; readonly message: string }

/** How the failure with this code came about, if it is one that a restart mends; null otherwise. */
export type Mends = (code: string) => string | null

/**
 * Whether a process may have ended like this. Restarts may mend an outage of Kafka, what `mends` knows, and nothing
 * else.
 */
export const judgeExit = (exit: Exit, mends: Mends = () => null): ExitVerdict => {
  const { name, code, signal, asked } = exit
  const said = lastWords(exit.lastError)
  const violation = (how: string): ExitVerdict => ({
    kind: 'violation',
    how,
    message: `${name} ended ${how}${said === '' ? ' without a word' : `: ${said}`}`,
  })
  // Before a process has begun to listen for it, and once it has stopped, SIGTERM just ends it.
  if (signal === 'SIGTERM' && asked === 'stop' && exit.hears !== 'yes')
    return { kind: 'fine', how: `by SIGTERM while it ${exit.hears === 'not yet' ? 'started' : 'ended'}` }
  if (signal !== null)
    return signal === 'SIGKILL' && asked !== 'nobody'
      ? { kind: 'fine', how: 'killed by us' }
      : violation(`by ${signal}`)
  switch (code) {
    case 0:
      return asked === 'nobody' ? violation('by itself, with 0') : { kind: 'fine', how: '0, stopped as asked' }
    case 1:
      return judgeFailure(exit, mends) ?? violation('with 1, unexplained')
    case 3:
      return violation('with 3, the contract broken or in doubt')
    default:
      return violation(`with ${code}`)
  }
}

const judgeFailure = ({ asked, lastError }: Exit, mends: Mends): ExitVerdict | null => {
  // What is not drained in time is read again: a stop while Kafka is down may end like this.
  if (asked !== 'nobody' && textOf(lastError, 'msg').startsWith('did not drain in time'))
    return { kind: 'fine', how: '1, not drained in time' }
  if (textOf(lastError?.['err'], 'type') === 'KafkaFailure') return { kind: 'fine', how: '1, Kafka out of reach' }
  const how = mends(textOf(lastError, 'code'))
  return how === null ? null : { kind: 'fine', how: `1, ${how}` }
}

const lastWords = (line: Line | null): string => {
  const code = textOf(line, 'code')
  return `${code === '' ? '' : `${code}: `}${textOf(line, 'msg')}`
}

const textOf = (value: unknown, key: string): string => {
  const found = typeof value === 'object' && value !== null ? (value as Line)[key] : undefined
  return typeof found === 'string' ? found : ''
}
