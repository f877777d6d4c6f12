import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { kafkaSettings, parseSettings } from '../settings.ts'
import { kafkaSecurity } from './security.ts'

const dir = mkdtempSync(join(tmpdir(), 'kafka-security-'))
afterAll(() => rmSync(dir, { recursive: true }))
const file = (name: string, text = `-----BEGIN ${name}-----`): string => {
  const path = join(dir, name)
  writeFileSync(path, text)
  return path
}

const brokers = { KAFKA_BROKERS: 'broker-1:9092,127.0.0.1:9092' }
const problemsOf = (env: Readonly<Record<string, string>>): readonly string[] => {
  try {
    kafkaSecurity(parseSettings(kafkaSettings, { ...brokers, ...env }))
  } catch (error) {
    expect(error).toMatchObject({ name: 'Stop', code: 'settings', reason: 'usage' })
    return (error as { readonly context: { readonly problems: readonly string[] } }).context.problems
  }
  return []
}
const securityOf = (env: Readonly<Record<string, string>>) =>
  kafkaSecurity(parseSettings(kafkaSettings, { ...brokers, ...env }))

describe('TLS and SASL of Kafka', () => {
  it('are off by default', () => {
    expect(securityOf({})).toEqual({})
  })

  it('are passed on: what is in the files, the mechanism, the name and the password', () => {
    const env = {
      KAFKA_TLS: 'on',
      KAFKA_TLS_CA_FILE: file('CA'),
      KAFKA_TLS_CERT_FILE: file('CERTIFICATE'),
      KAFKA_TLS_KEY_FILE: file('KEY'),
      KAFKA_SASL: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'settle',
      KAFKA_SASL_PASSWORD: 'hunter2',
    }
    expect(securityOf(env)).toEqual({
      tls: { ca: '-----BEGIN CA-----', cert: '-----BEGIN CERTIFICATE-----', key: '-----BEGIN KEY-----' },
      sasl: { mechanism: 'scram-sha-512', username: 'settle', password: 'hunter2' },
    })
    expect(securityOf({ KAFKA_TLS: 'on' })).toEqual({ tls: {} })
  })

  it('of files that cannot be read, or are none, are reported by name', () => {
    const env = { KAFKA_TLS: 'on', KAFKA_TLS_CA_FILE: join(dir, 'nowhere'), KAFKA_TLS_CERT_FILE: file('x', 'no PEM') }
    expect(problemsOf(env)).toEqual([
      `KAFKA_TLS_CA_FILE="${join(dir, 'nowhere')}": cannot be read: ENOENT`,
      `KAFKA_TLS_CERT_FILE="${join(dir, 'x')}": must be a PEM file, with a line -----BEGIN …`,
    ])
  })

  it('that do not go together are reported together, and never the password', () => {
    const key = { KAFKA_TLS_KEY_FILE: file('KEY'), KAFKA_SASL: 'plain', KAFKA_SASL_PASSWORD: 'hunter2' }
    const problems = problemsOf(key)
    expect(problems).toEqual([
      'KAFKA_TLS_KEY_FILE is set, but TLS is off: set KAFKA_TLS=on, or leave it out',
      'KAFKA_TLS_KEY_FILE is set, but KAFKA_TLS_CERT_FILE is not: a key is used with its certificate',
      'KAFKA_SASL_USERNAME is not set: KAFKA_SASL=plain needs it',
      expect.stringMatching(
        /^KAFKA_SASL=plain would show a password to the network on its way to broker-1:9092: set KAFKA_TLS=on, or KAFKA_SASL_WITHOUT_TLS=allowed/,
      ),
    ])
    expect(problems.join()).not.toContain('hunter2')
  })

  it.each([
    [
      { KAFKA_TLS: 'on', KAFKA_TLS_CERT_FILE: file('CERTIFICATE') },
      'KAFKA_TLS_CERT_FILE is set, but KAFKA_TLS_KEY_FILE is not',
    ],
    [{ KAFKA_SASL_PASSWORD: 'hunter2' }, 'KAFKA_SASL_PASSWORD is set, but SASL is off'],
    [{ KAFKA_TLS: 'on', KAFKA_SASL: 'plain', KAFKA_SASL_USERNAME: 'u' }, 'KAFKA_SASL_PASSWORD is not set'],
    [{ KAFKA_SASL: 'md5' }, 'KAFKA_SASL="md5": '],
    [{ KAFKA_TLS: 'yes' }, 'KAFKA_TLS="yes": '],
  ])('%j is refused', (env, problem) => {
    expect(problemsOf(env)).toEqual([expect.stringContaining(problem)])
  })

  it('without TLS a password goes to loopback, and elsewhere only where that was allowed', () => {
    const sasl = { KAFKA_SASL: 'plain', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' }
    expect(problemsOf(sasl)).toHaveLength(1)
    expect(problemsOf({ ...sasl, KAFKA_SASL_WITHOUT_TLS: 'allowed' })).toEqual([])
    expect(problemsOf({ ...sasl, KAFKA_BROKERS: 'localhost:1,127.0.0.1:2' })).toEqual([])
    expect(problemsOf({ ...sasl, KAFKA_BROKERS: '127.0.0.1.example.com:1' })).toHaveLength(1)
    expect(problemsOf({ ...sasl, KAFKA_TLS: 'on' })).toEqual([])
  })
})
