import { type KafkaSettings, settingsProblem } from '../settings.ts'
import type { KafkaSasl, KafkaTls } from './client.ts'

export type KafkaSecurity = { readonly tls?: KafkaTls; readonly sasl?: KafkaSasl }

/**
 * TLS and SASL as the settings want them. What was set must have an effect: nothing is ignored.
 * @throws Stop `settings` naming all that does not go together
 */
export const kafkaSecurity = (settings: KafkaSettings): KafkaSecurity => {
  const problems = [...tlsProblems(settings), ...saslProblems(settings)]
  if (problems.length > 0) throw settingsProblem(problems)
  const { KAFKA_TLS, KAFKA_TLS_CA_FILE: ca, KAFKA_TLS_CERT_FILE: cert, KAFKA_TLS_KEY_FILE: key } = settings
  const { KAFKA_SASL: mechanism, KAFKA_SASL_USERNAME: username = '', KAFKA_SASL_PASSWORD: password = '' } = settings
  return {
    ...(KAFKA_TLS === 'on' ? { tls: { ...(ca ? { ca } : {}), ...(cert && key ? { cert, key } : {}) } } : {}),
    ...(mechanism === 'off' ? {} : { sasl: { mechanism, username, password } }),
  }
}

const tlsProblems = (settings: KafkaSettings): string[] => {
  const { KAFKA_TLS, KAFKA_TLS_CERT_FILE, KAFKA_TLS_KEY_FILE } = settings
  const problems: string[] = []
  for (const name of ['KAFKA_TLS_CA_FILE', 'KAFKA_TLS_CERT_FILE', 'KAFKA_TLS_KEY_FILE'] as const)
    if (settings[name] !== undefined && KAFKA_TLS === 'off')
      problems.push(`${name} is set, but TLS is off: set KAFKA_TLS=on, or leave it out`)
  if (KAFKA_TLS_CERT_FILE !== undefined && KAFKA_TLS_KEY_FILE === undefined)
    problems.push('KAFKA_TLS_CERT_FILE is set, but KAFKA_TLS_KEY_FILE is not: a certificate is shown with its key')
  if (KAFKA_TLS_KEY_FILE !== undefined && KAFKA_TLS_CERT_FILE === undefined)
    problems.push('KAFKA_TLS_KEY_FILE is set, but KAFKA_TLS_CERT_FILE is not: a key is used with its certificate')
  return problems
}

const saslProblems = (settings: KafkaSettings): string[] => {
  const { KAFKA_BROKERS, KAFKA_TLS, KAFKA_SASL, KAFKA_SASL_WITHOUT_TLS } = settings
  const problems: string[] = []
  for (const name of ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const) {
    if (KAFKA_SASL === 'off' && settings[name] !== undefined)
      problems.push(`${name} is set, but SASL is off: set KAFKA_SASL to plain, scram-sha-256 or scram-sha-512`)
    if (KAFKA_SASL !== 'off' && settings[name] === undefined)
      problems.push(`${name} is not set: KAFKA_SASL=${KAFKA_SASL} needs it`)
  }
  const far = KAFKA_BROKERS.filter(address => !isLoopback(address))
  if (KAFKA_SASL !== 'off' && KAFKA_TLS === 'off' && far.length > 0 && KAFKA_SASL_WITHOUT_TLS === 'refused')
    problems.push(
      `KAFKA_SASL=${KAFKA_SASL} would show a password to the network on its way to ${far.join(', ')}: set KAFKA_TLS=on, or KAFKA_SASL_WITHOUT_TLS=allowed if that network is trusted`,
    )
  return problems
}

const isLoopback = (address: string): boolean => /^(localhost|127(\.\d{1,3}){3}):\d+$/.test(address)
