import { execFile } from 'node:child_process'
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { jars } from '../../local/jar-cache.ts'
import { kafka } from '../../local/kafka.ts'
import { findJava } from '../../local/machine-check.ts'
import { freePorts } from '../../local/ports.ts'
import { endProcess, spawnServer } from '../../local/server-process.ts'
import { settingsFrom } from '../../local/settings.ts'
import type { ServerRecord } from '../../local/state-file.ts'
import type { Certificates } from './certificates.ts'

const run = promisify(execFile)
const address = '127.0.0.1'

export type SecureBroker = AsyncDisposable & {
  /** TLS, and the client must show a certificate. */
  readonly mutualTls: string
  /** TLS and SASL. */
  readonly saslTls: string
  /** SASL without TLS. */
  readonly saslPlaintext: string
  /** Nothing of both. */
  readonly plaintext: string
}

export type User = { readonly username: string; readonly password: string }

/** A broker of its own, with listeners that want certificates and passwords. It ends when it is disposed of. */
export const openSecureBroker = async ({
  dir,
  certificates: { caFile, serverFile },
  user: { username, password },
}: {
  readonly dir: string
  readonly certificates: Certificates
  readonly user: User
}): Promise<SecureBroker> => {
  const { cacheDir } = settingsFrom(process.env)
  const java = await findJava(process.env)
  if (kafka.jarSet === undefined) throw new Error('Kafka has no jars')
  const jarDir = await jars(kafka.jarSet, { cacheDir })
  const [client, controller, proxied, proxy, mutual, sasl, plain] = (await freePorts(7, [address])) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const record: ServerRecord = {
    id: 'kafka',
    server: 'kafka',
    node: 1,
    address,
    ports: { client, controller, proxied, proxy },
    settings: { heapMb: 256 },
    dir,
    logFile: join(dir, 'kafka.log'),
    process: null,
  }
  // Names and passwords of SCRAM belong to the log folder and are put there by the format, which is done once.
  const marker = join(dir, 'formatted')
  mkdirSync(dir, { recursive: true })
  writeFileSync(marker, 'by the test\n')
  const launch = await kafka.prepare(record, { peers: [], java, jarDir })
  const listeners = { PLAINTEXT: client, MUTUAL: mutual, SASLTLS: sasl, SASLPLAIN: plain, CONTROLLER: controller }
  const at = (names: readonly (keyof typeof listeners)[]): string =>
    names.map(name => `${name}://${address}:${listeners[name]}`).join()
  const plainLogin = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`
  const scramLogin = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  const ofSasl = (listener: string): Record<string, string> => ({
    [`listener.name.${listener}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    [`listener.name.${listener}.plain.sasl.jaas.config`]: plainLogin,
    [`listener.name.${listener}.scram-sha-256.sasl.jaas.config`]: scramLogin,
    [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`]: scramLogin,
  })
  const properties: Record<string, string> = {
    listeners: at(['PLAINTEXT', 'MUTUAL', 'SASLTLS', 'SASLPLAIN', 'CONTROLLER']),
    'advertised.listeners': at(['PLAINTEXT', 'MUTUAL', 'SASLTLS', 'SASLPLAIN']),
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,MUTUAL:SSL,SASLTLS:SASL_SSL,SASLPLAIN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': serverFile,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': caFile,
    'listener.name.mutual.ssl.client.auth': 'required',
    ...ofSasl('sasltls'),
    ...ofSasl('saslplain'),
  }
  const config = join(dir, 'server.properties')
  // Of a property said twice the last one counts.
  for (const [key, value] of Object.entries(properties)) appendFileSync(config, `${key}=${value}\n`)
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap(mechanism => [
    '--add-scram',
    `${mechanism}=[name=${username},password=${password}]`,
  ])
  const tool = ['-cp', join(jarDir, '*'), 'kafka.tools.StorageTool', 'format', '-t', 'c2VjdXJlLWJyb2tlci0wMA']
  await run(java.file, ['-XX:TieredStopAtLevel=1', ...tool, '-c', config, ...scram])
  const server = await spawnServer(launch, record.logFile)
  const broker = {
    plaintext: `${address}:${client}`,
    mutualTls: `${address}:${mutual}`,
    saslTls: `${address}:${sasl}`,
    saslPlaintext: `${address}:${plain}`,
    [Symbol.asyncDispose]: async () => void (await endProcess(server, { graceMs: kafka.stopTimeoutMs })),
  }
  const endMs = Date.now() + kafka.startTimeoutMs
  for (;;) {
    try {
      await kafka.probe(record)
      return broker
    } catch (error) {
      if (Date.now() < endMs) continue
      await broker[Symbol.asyncDispose]()
      throw error
    }
  }
}
