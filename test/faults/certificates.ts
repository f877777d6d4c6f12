import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** PEM files. */
export type Certificates = {
  readonly caFile: string
  /** Key and certificate in one, as Kafka reads them; for 127.0.0.1. */
  readonly serverFile: string
  readonly clientFile: string
  readonly clientKeyFile: string
}

/** An authority of its own, a server's certificate and a client's, made by openssl. */
export const makeCertificates = async (dir: string): Promise<Certificates> => {
  mkdirSync(dir, { recursive: true })
  const file = (name: string): string => join(dir, name)
  const openssl = (...args: string[]): Promise<unknown> => run('openssl', args)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  await openssl('req', '-x509', ...key, '-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', '/CN=ca')
  const signed = async (name: string, extensions: string): Promise<void> => {
    writeFileSync(file(`${name}.ext`), extensions)
    await openssl('req', ...key, '-keyout', file(`${name}.key`), '-out', file(`${name}.csr`), '-subj', `/CN=${name}`)
    const authority = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial']
    const request = ['-req', '-in', file(`${name}.csr`), '-out', file(`${name}.pem`), '-extfile', file(`${name}.ext`)]
    await openssl('x509', ...request, ...authority)
  }
  await signed('server', 'subjectAltName=IP:127.0.0.1\n')
  await signed('client', 'extendedKeyUsage=clientAuth\n')
  writeFileSync(
    file('keystore.pem'),
    readFileSync(file('server.key'), 'utf8') + readFileSync(file('server.pem'), 'utf8'),
  )
  return {
    caFile: file('ca.pem'),
    serverFile: file('keystore.pem'),
    clientFile: file('client.pem'),
    clientKeyFile: file('client.key'),
  }
}
