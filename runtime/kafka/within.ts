import { KafkaFailure } from './port.ts'

/**
 * kafkajs retries within retries, and waits for some things without any bound: a `disconnect` while a request is under
 * way stops the very timer that would end the request. So every operation has an end here, whatever kafkajs does.
 * @throws KafkaFailure `retriable` when the work is not done in time; what is left of it goes on unheard
 */
export const within = async <T>(ms: number, doing: string, work: Promise<T>): Promise<T> => {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new KafkaFailure('retriable', `${doing}: not done within ${ms} ms`)), ms)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
    work.catch(() => {})
  }
}
