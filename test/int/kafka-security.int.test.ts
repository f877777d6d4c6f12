import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openKafkaFrom } from '../../runtime/kafka/kafka.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { kafkaSettings, parseSettings } from '../../runtime/settings.ts'
import { type Certificates, makeCertificates } from '../faults/certificates.ts'
import { openSecureBroker, type SecureBroker } from '../faults/secure-broker.ts'

const dir = mkdtempSync(join(tmpdir(), 'kafka-secure-'))
const user = { username: 'settle', password: 'hunter2' }
const sasl = { KAFKA_SASL_USERNAME: user.username, KAFKA_SASL_PASSWORD: user.password }
const opened: KafkaPort[] = []
let broker: SecureBroker
let ours: Certificates
let others: Certificates
let names = 0

beforeAll(async () => {
  ours = await makeCertificates(join(dir, 'ours'))
  others = await makeCertificates(join(dir, 'others'))
  broker = await openSecureBroker({ dir: join(dir, 'broker'), certificates: ours, user })
})
afterAll(async () => {
  await Promise.all(opened.map(port => port.close()))
  await broker?.[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

/** As a service opens it, from the environment. */
const open = (brokers: string, env: Readonly<Record<string, string>>): KafkaPort => {
  const settings = parseSettings(kafkaSettings, { KAFKA_BROKERS: brokers, ...env })
  const port = openKafkaFrom(settings, { clientId: 'secure', log: pino({ level: 'silent' }) })
  opened.push(port)
  return port
}

/** All kinds of clients that the port has: administration, writer, fetcher, member. */
const useAll = async (kafka: KafkaPort): Promise<string[]> => {
  const topic = `secure_${++names}`
  await kafka.admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, config: {} }])
  await expect.poll(async () => (await kafka.bounds(topic)).size, { timeout: 10_000 }).toBe(1)
  const writer = await kafka.openTxWriter({ transactionalId: topic })
  const value = Buffer.from('x')
  await writer.commitBatch({ records: [{ topic, partition: 0, key: null, value, timestampMs: 1n }] })
  await writer.close()
  const member = await kafka.join({ group: topic, topic, onAssignment: () => {}, onFailure: () => {} })
  expect(await member.owner(0)).toBe('this member')
  await member.leave()
  await expect.poll(async () => (await kafka.bounds(topic)).get(0)?.end, { timeout: 10_000 }).toBe(2n)
  return (await kafka.readTail({ topic, partition: 0, count: 9 })).map(record => record.value.toString())
}

it('TLS with a certificate of ours is spoken by all parts of the port', async () => {
  const env = {
    KAFKA_TLS: 'on',
    KAFKA_TLS_CA_FILE: ours.caFile,
    KAFKA_TLS_CERT_FILE: ours.clientFile,
    KAFKA_TLS_KEY_FILE: ours.clientKeyFile,
  }
  expect(await useAll(open(broker.mutualTls, env))).toEqual(['x'])
})

it.each(['plain', 'scram-sha-256', 'scram-sha-512'])('SASL %s over TLS too', async mechanism => {
  const env = { KAFKA_TLS: 'on', KAFKA_TLS_CA_FILE: ours.caFile, KAFKA_SASL: mechanism, ...sasl }
  expect(await useAll(open(broker.saslTls, env))).toEqual(['x'])
})

it('SASL without TLS, on loopback', async () => {
  expect(await useAll(open(broker.saslPlaintext, { KAFKA_SASL: 'scram-sha-256', ...sasl }))).toEqual(['x'])
})

it.each([
  ['a broker whose certificate nobody we know has signed', () => ({ KAFKA_TLS: 'on' })],
  ['a broker of another authority', () => ({ KAFKA_TLS: 'on', KAFKA_TLS_CA_FILE: others.caFile })],
])('%s is refused, and fatal', async (_, env) => {
  // One that asks for no certificate of ours: it would take the password.
  const asked = open(broker.saslTls, { ...env(), KAFKA_SASL: 'plain', ...sasl }).bounds('any')
  await expect(asked).rejects.toMatchObject({ kind: 'fatal', message: expect.stringContaining('KAFKA_TLS_CA_FILE') })
})

it.each([
  ['no certificate', () => ({})],
  [
    'one of another authority',
    () => ({ KAFKA_TLS_CERT_FILE: others.clientFile, KAFKA_TLS_KEY_FILE: others.clientKeyFile }),
  ],
])('a broker that wants a certificate and is shown %s refuses us', async (_, shown) => {
  const env = { KAFKA_TLS: 'on', KAFKA_TLS_CA_FILE: ours.caFile, ...shown() }
  await expect(open(broker.mutualTls, env).bounds('any')).rejects.toMatchObject({ kind: 'fatal' })
})

it.each(['plain', 'scram-sha-256', 'scram-sha-512'])(
  'a wrong password is fatal, and not shown: %s',
  async mechanism => {
    const env = {
      KAFKA_TLS: 'on',
      KAFKA_TLS_CA_FILE: ours.caFile,
      KAFKA_SASL: mechanism,
      ...sasl,
      KAFKA_SASL_PASSWORD: 'sesame',
    }
    const kafka = open(broker.saslTls, env)
    // One after the other: a rejection that comes while another is awaited would be nobody's.
    for (const ask of [() => kafka.bounds('any'), () => kafka.openTxWriter({ transactionalId: 'any' })]) {
      const failure = await ask().then(
        () => null,
        error => error as Error,
      )
      expect(failure).toMatchObject({ name: 'KafkaFailure', kind: 'fatal' })
      expect(failure?.message).toContain('KAFKA_SASL_PASSWORD')
      expect(failure?.message).not.toContain('sesame')
    }
  },
)
