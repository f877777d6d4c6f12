import { isAbsolute, join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { settingsFrom } from './settings.ts'
import { SetupError } from './setup-error.ts'

const clone = resolve(import.meta.dirname, '..')

describe('settingsFrom', () => {
  test('an empty environment fixes nothing', () => {
    const settings = settingsFrom({ KAFKA_PORT: '' })
    expect(settings).toMatchObject({ kind: 'local', dataDir: join(clone, '.data') })
    expect(isAbsolute(settings.cacheDir)).toBe(true)
    expect(settings.ports).toEqual({ kafka: {}, cassandra: {}, starrocks: {} })
    expect(settings.server).toEqual({ kafka: {}, cassandra: {}, starrocks: {} })
  })

  test('what is fixed is kept apart by server', () => {
    const settings = settingsFrom({
      KAFKA_PORT: '9092',
      CASSANDRA_NODES: '3',
      STARROCKS_MYSQL_PORT: '9030',
      SETTLE_DATA: '/tmp/x',
    })
    expect(settings.dataDir).toBe('/tmp/x')
    expect(settings.ports).toEqual({ kafka: { client: 9092 }, cassandra: {}, starrocks: { mysql: 9030 } })
    expect(settings.server.cassandra).toEqual({ nodes: 3 })
  })

  test('every unreadable variable is named with its value, all at once', () => {
    const read = () =>
      settingsFrom({ KAFKA_PORT: '70000', CASSANDRA_HEAP_MB: '512m', CASSANDRA_NODES: '4', STACK: 'podman' })
    expect(read).toThrow(SetupError)
    expect(read).toThrow(/KAFKA_PORT='70000': must be a whole number from 1 to 65535/)
    expect(read).toThrow(/CASSANDRA_HEAP_MB='512m': must be a whole number from 256/)
    expect(read).toThrow(/CASSANDRA_NODES='4': must be a whole number from 1 to 3/)
    expect(read).toThrow(/STACK='podman': must be local or docker/)
  })

  test('a port for two servers is refused', () => {
    expect(() => settingsFrom({ KAFKA_PORT: '9000', CASSANDRA_PORT: '9000' })).toThrow(
      'Port 9000 is asked for twice, by KAFKA_PORT and by CASSANDRA_PORT',
    )
  })
})
