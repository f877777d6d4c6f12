import { LOCAL_DATA_CENTER } from './cassandra.ts'
import type { ServerRecord, Services } from './state-file.ts'

/** Where the services find local servers. */
export function localServices(servers: readonly ServerRecord[]): Partial<Services> {
  const brokers = servers.filter(({ server }) => server === 'kafka')
  const nodes = servers.filter(({ server }) => server === 'cassandra')
  const standIn = servers.find(({ server }) => server === 'starrocks')
  const services: Partial<Services> = {}
  const [broker] = brokers
  if (broker !== undefined) {
    services.kafka = {
      brokers: brokers.map(({ address, ports }) => `${address}:${ports['client']}`),
      proxied: {
        listen: `${broker.address}:${broker.ports['proxied']}`,
        advertised: `${broker.address}:${broker.ports['proxy']}`,
      },
    }
  }
  const [first] = nodes
  if (first !== undefined) {
    services.cassandra = {
      contactPoints: nodes.map(({ address }) => address),
      port: first.ports['cql'] as number,
      localDataCenter: LOCAL_DATA_CENTER,
    }
  }
  if (standIn !== undefined) {
    const { address, ports } = standIn
    services.starrocks = {
      feHttp: `http://${address}:${ports['feHttp']}`,
      beHosts: [`${address}:${ports['beHttp']}`],
      mysqlHost: address,
      mysqlPort: ports['mysql'] as number,
      user: 'root',
      password: '',
      admin: `http://${address}:${ports['admin']}`,
    }
  }
  return services
}

/** The variables from which the services read where the servers are. */
export function serviceEnvironment(services: Partial<Services>): Record<string, string> {
  const { kafka, cassandra, starrocks } = services
  return {
    ...(kafka && { KAFKA_BROKERS: kafka.brokers.join(',') }),
    ...(cassandra && {
      CQL_CONTACT_POINTS: cassandra.contactPoints.map(host => `${host}:${cassandra.port}`).join(','),
      CQL_DATACENTER: cassandra.localDataCenter,
      // Up to three copies, as many as there are nodes: `settle init` makes the keyspace with so many.
      CQL_REPLICATION_FACTOR: `${Math.min(3, cassandra.contactPoints.length)}`,
    }),
    ...(starrocks && {
      STARROCKS_HTTP: starrocks.feHttp,
      STARROCKS_LOAD_HOSTS: starrocks.beHosts.join(','),
      STARROCKS_MYSQL: `${starrocks.mysqlHost}:${starrocks.mysqlPort}`,
      STARROCKS_USER: starrocks.user,
      STARROCKS_PASSWORD: starrocks.password,
      ...(starrocks.admin !== undefined && { STARROCKS_ADMIN: starrocks.admin }),
    }),
  }
}
