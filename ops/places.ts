import { openKafka } from '../runtime/kafka/kafka.ts'
import type { KafkaPort } from '../runtime/kafka/port.ts'
import type { Log } from '../runtime/log.ts'

/** What the settings say of the places; each command's settings hold at least those of the places it opens. */
export type PlaceSettings = {
  readonly KAFKA_BROKERS: readonly string[]
  readonly KAFKA_SESSION_TIMEOUT_MS: number
  readonly KAFKA_HEARTBEAT_INTERVAL_MS: number
}

/** The connections of one command, each opened when first asked for and closed with the command. */
export interface Places {
  kafka(): KafkaPort
  [Symbol.asyncDispose](): Promise<void>
}

export const openPlaces = ({ settings, log }: { readonly settings: PlaceSettings; readonly log: Log }): Places => {
  let kafka: KafkaPort | undefined
  return {
    kafka: () =>
      (kafka ??= openKafka({
        brokers: settings.KAFKA_BROKERS,
        clientId: 'settle',
        log,
        sessionTimeoutMs: settings.KAFKA_SESSION_TIMEOUT_MS,
        heartbeatIntervalMs: settings.KAFKA_HEARTBEAT_INTERVAL_MS,
      })),
    [Symbol.asyncDispose]: async () => {
      await kafka?.close()
    },
  }
}
