import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer } from 'testcontainers'
import { afterAll, beforeAll, describe, vi } from 'vitest'
import { type Fixture, openFixture } from '../../local/starrocks/testing/fixture.ts'
import type { LocalStarRocks } from '../../sink-starrocks/load/testing/load-whole-topic.ts'
import { openSqlAt } from '../analysts/filled.ts'
import { starrocksContract } from '../contract/starrocks-contract.ts'

describe('the stand-in keeps the contract', () => {
  let standIn: Fixture
  beforeAll(async () => {
    standIn = await openFixture()
  })
  afterAll(async () => standIn?.[Symbol.asyncDispose]())
  starrocksContract(() => ({
    feHttp: standIn.standIn.feHttpPort,
    beHttp: standIn.standIn.beHttpPort,
    mysql: standIn.standIn.mysqlPort,
  }))
})

/** That of docker-compose.yml. */
const image = 'starrocks/allin1-ubuntu:4.0.10'
const imageMs = 30 * 60_000
const isDockerThere = await getContainerRuntimeClient().then(
  () => true,
  () => false,
)

describe.skipIf(!isDockerThere)(`StarRocks itself keeps it, where a Docker engine answers (${image})`, () => {
  let container: StartedTestContainer
  let doors: LocalStarRocks

  beforeAll(async () => {
    // The frontend sends every load on to 127.0.0.1:8040, so that port must be the same outside.
    container = await new GenericContainer(image)
      .withExposedPorts(8030, 9030, { container: 8040, host: 8040 })
      .withStartupTimeout(imageMs)
      .start()
    doors = { feHttp: container.getMappedPort(8030), beHttp: 8040, mysql: container.getMappedPort(9030) }
    await vi.waitUntil(isBackendAlive, { timeout: 300_000, interval: 2_000 })
  }, imageMs)
  afterAll(async () => container?.stop())

  const isBackendAlive = async (): Promise<boolean> => {
    const sql = openSqlAt(doors)
    try {
      const backends = await sql.query('SHOW BACKENDS')
      return backends.some(row => row['Alive'] === 'true')
    } catch {
      return false
    } finally {
      await sql.close()
    }
  }

  starrocksContract(() => doors)
})
