import { pino } from 'pino'
import { describe } from 'vitest'
import { up } from '../../local/stack.ts'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import { kafkaContract } from '../contract/kafka-contract.ts'

describe.each(['here', 'threads'] as const)(
  'a real broker, through kafkajs and writers in %s, keeps the contract',
  txWriters => {
    kafkaContract(async () => {
      const stack = await up({ servers: ['kafka'] })
      const stem = `kafka_int_${txWriters}_${process.pid}_${Date.now().toString(36)}`
      let clients = 0
      const openClient = () =>
        openKafka({
          brokers: stack.kafka.brokers,
          clientId: `${stem}_${++clients}`,
          log: pino({ level: 'silent' }),
          sessionTimeoutMs: 6000,
          heartbeatIntervalMs: 500,
          txWriters,
        })
      return { openClient, stem }
    })
  },
)
