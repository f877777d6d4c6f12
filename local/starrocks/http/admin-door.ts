import type { Catalog } from '../store/catalog.ts'
import { type Listener, listenHttp, sendJson } from './http-listener.ts'
import type { Labels } from '../load/labels.ts'

export interface AdminDoorOptions {
  readonly port: number
  readonly catalog: Catalog
  readonly labels: Labels
}

/** The door that StarRocks has not: what the stand-in holds. Faults are to be set here. */
export function openAdminDoor(options: AdminDoorOptions): Promise<Listener> {
  return listenHttp(options.port, async (request, response) => {
    if (request.method === 'GET' && request.url === '/') return sendJson(response, 200, state(options))
    sendJson(response, 404, { error: `${request.method} ${request.url}: the admin door answers GET / only` })
  })
}

function state({ catalog, labels }: AdminDoorOptions): object {
  const databases = catalog.databases.map(database => [
    database,
    Object.fromEntries([...catalog.relations(database)].map(([name, relation]) => [name, relation.kind])),
  ])
  return { standIn: true, databases: Object.fromEntries(databases), labels: labels.counts() }
}
