import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BROKER_SETTINGS } from './kafka.ts'
import { freePorts } from './ports.ts'
import { clean, down, serviceEnvironment, stackFromFile, status, up } from './stack.ts'

const COMPOSE = readFileSync(resolve(import.meta.dirname, '..', 'docker-compose.yml'), 'utf8')

describe('docker-compose.yml', () => {
  test('the broker has the settings of the local one, and no other value', () => {
    for (const [name, value] of Object.entries(BROKER_SETTINGS)) {
      expect(COMPOSE).toContain(`      KAFKA_${name.toUpperCase().replaceAll('.', '_')}: "${value}"\n`)
    }
  })

  test('images are pinned and ports are on loopback only', () => {
    const images = [...COMPOSE.matchAll(/^ {4}image: (\S+)$/gm)].map(([, image]) => image)
    expect(images).toEqual([
      expect.stringMatching(/^apache\/kafka:4\.1\.\d+$/),
      expect.stringMatching(/^scylladb\/scylla:\d+\.\d+\.\d+$/),
      expect.stringMatching(/^starrocks\/allin1-ubuntu:4\.0\.\d+$/),
    ])
    const ports = [...COMPOSE.matchAll(/^ {6}- "([^"]*:\d+)"$/gm)].map(([, port]) => port)
    expect(ports).toHaveLength(6)
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
  })
})

describe('STACK=docker', () => {
  let dir: string
  let env: Record<string, string>
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'settle-docker-'))
    const [kafka, proxied, cql, fe, mysql] = (await freePorts(5, ['127.0.0.1'])).map(String) as [
      string,
      string,
      string,
      string,
      string,
    ]
    env = {
      STACK: 'docker',
      SETTLE_DATA: join(dir, 'data'),
      PATH: `${dir}:${process.env['PATH']}`,
      KAFKA_PORT: kafka,
      KAFKA_PROXIED_PORT: proxied,
      CASSANDRA_PORT: cql,
      STARROCKS_FE_HTTP_PORT: fe,
      STARROCKS_MYSQL_PORT: mysql,
    }
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  /** Stands in for the docker command: keeps what it was asked, and runs `cases` of a shell's case statement. */
  function docker(cases: string): void {
    const file = join(dir, 'docker')
    writeFileSync(file, `#!/bin/sh\necho "$KAFKA_PORT $*" >> ${dir}/asked\ncase "$*" in\n${cases}\n*) exit 0;;\nesac\n`)
    chmodSync(file, 0o755)
  }
  const asked = () => readFileSync(join(dir, 'asked'), 'utf8')

  test('up, status, down and clean are compose commands of a project of this folder', async () => {
    docker(
      `*" up "*) touch ${dir}/up;;\n*" down"*) rm -f ${dir}/up;;\n` +
        `*" ps "*) test -e ${dir}/up && echo '{"Service":"kafka","State":"running","Health":"healthy"}';true;;`,
    )
    const stack = await up({ env, servers: ['kafka', 'cassandra'] })
    expect(stack).toMatchObject({ kind: 'docker', servers: [], started: ['kafka', 'cassandra'] })
    expect(asked()).toMatch(
      new RegExp(`${env['KAFKA_PORT']} compose --project-name settle-[0-9a-f]{8} --file \\S+docker-compose.yml up `),
    )
    expect(asked()).toContain('up --detach --wait kafka cassandra\n')
    expect(serviceEnvironment(stack)).toMatchObject({
      KAFKA_BROKERS: `127.0.0.1:${env['KAFKA_PORT']}`,
      CQL_CONTACT_POINTS: `127.0.0.1:${env['CASSANDRA_PORT']}`,
    })
    expect(stack.kafka.proxied).toEqual({
      listen: `127.0.0.1:${env['KAFKA_PROXIED_PORT']}`,
      advertised: '127.0.0.1:9095',
    })
    expect(await status({ env })).toEqual([{ id: 'kafka', state: 'serving' }])

    const { KAFKA_PORT: fixed, ...later } = env
    const again = await up({ env: later, servers: ['kafka'] })
    expect(again.started).toEqual([])
    expect(again.kafka.brokers).toEqual([`127.0.0.1:${fixed}`])

    const { STACK: _, ...forgetful } = env
    expect(await down({ env: forgetful })).toEqual(['kafka'])
    expect(() => stackFromFile({ env })).toThrow('not up')
    expect(asked()).not.toContain('--volumes')
    await clean({ env })
    expect(asked()).toContain('down --volumes\n')
    expect(existsSync(join(dir, 'data'))).toBe(false)
  })

  test('no compose plugin, no engine, and a failing start are said plainly', async () => {
    docker('"compose version") exit 1;;')
    await expect(up({ env })).rejects.toThrow('STACK=docker needs the docker command with its compose plugin')
    docker('info) exit 1;;')
    await expect(up({ env })).rejects.toThrow('No Docker engine answers (docker info): start it')
    docker('*" up "*) echo "no space left on device" >&2; exit 17;;')
    const failed = up({ env, servers: ['kafka'] })
    await expect(failed).rejects.toThrow('no space left on device')
    await expect(failed).rejects.toMatchObject({ exitCode: 1 })
  })

  test('what the containers cannot do is refused', async () => {
    docker('')
    await expect(up({ env: { ...env, STARROCKS_BE_HTTP_PORT: '8041' } })).rejects.toThrow('sends loads to port 8040')
    await expect(up({ env: { ...env, CASSANDRA_NODES: '3' } })).rejects.toThrow('which has one node')
  })
})
