import { z } from 'zod'
import { runService, type Service } from '../service.ts'
import { refuse, Stop } from '../stop.ts'

/** A service that does what BEHAVIOUR says: the tests run it as a process. */
type Behaviour =
  | 'runs'
  | 'refuses-at-start'
  | 'refuses'
  | 'fails'
  | 'has-a-bug'
  | 'throws-beside'
  | 'never-drains'
  | 'holds-the-process'
  | 'reports-an-error'

const behaviours: readonly Behaviour[] = [
  'runs',
  'refuses-at-start',
  'refuses',
  'fails',
  'has-a-bug',
  'throws-beside',
  'never-drains',
  'holds-the-process',
  'reports-an-error',
]

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
  })

await runService({
  name: 'child',
  settings: { BEHAVIOUR: z.enum(behaviours), API_SECRET: z.string().max(3).optional() },
  start: async ({ BEHAVIOUR: behaviour }, { log }) => {
    if (behaviour === 'refuses-at-start') throw refuse('topic-missing', 'topic t does not exist; run: settle init')
    const run = async (signal: AbortSignal): Promise<void> => {
      switch (behaviour) {
        case 'refuses':
          throw refuse('log-order', 'n is 3 after 1', { n: 3n })
        case 'fails':
          throw new Stop({ code: 'disk-full', reason: 'failed', message: 'no space left' })
        case 'has-a-bug':
          throw new TypeError('x is not a function')
        case 'throws-beside':
          setTimeout(() => {
            throw new TypeError('in a callback')
          })
          return untilAborted(signal)
        case 'never-drains':
          await untilAborted(signal)
          return new Promise(() => setInterval(() => {}, 1000))
        case 'holds-the-process':
          setInterval(() => {}, 1000)
          return untilAborted(signal)
        case 'reports-an-error':
          log.warn(new Error('by itself'))
          log.warn({ err: new Error('with fields'), pos: 2n ** 62n, ns: [1n] }, 'reported')
          return untilAborted(signal)
        case 'runs':
          return untilAborted(signal)
      }
    }
    const service: Service = { run, health: () => ({ ok: behaviour === 'runs', state: behaviour, pos: 2n ** 62n }) }
    return {
      service,
      close: async () => {
        log.info('closed')
      },
    }
  },
})
