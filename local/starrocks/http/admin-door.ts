import type { IncomingMessage } from 'node:http'
import { json } from 'node:stream/consumers'
import { z } from 'zod'
import type { Faults } from '../faults.ts'
import type { Labels } from '../load/labels.ts'
import type { Catalog } from '../store/catalog.ts'
import type { Frontend } from './frontend.ts'
import { type Listener, listenHttp, sendJson } from './http-listener.ts'

export interface AdminDoorOptions {
  readonly port: number
  readonly catalog: Catalog
  readonly labels: Labels
  readonly faults: Faults
  readonly frontend: Frontend
}

const restart = z.strictObject({ downMs: z.int().min(0).max(600_000) })

const usage =
  'GET / · POST /faults {"kind": …, "times": 1, "table": …, "ms": …} or a list · DELETE /faults · POST /frontend/restart {"downMs": …}'

/** The door that StarRocks has not: tells what the stand-in holds, and sets what is to go wrong. */
export function openAdminDoor(options: AdminDoorOptions): Promise<Listener> {
  const { faults, frontend } = options
  return listenHttp(options.port, async (request, response) => {
    try {
      switch (`${request.method} ${request.url}`) {
        case 'GET /':
          return sendJson(response, 200, state(options))
        case 'POST /faults':
          faults.add(await body(request))
          return sendJson(response, 200, faults.state)
        case 'DELETE /faults':
          faults.clear()
          return sendJson(response, 200, faults.state)
        case 'POST /frontend/restart': {
          const { downMs } = restart.parse(await body(request))
          void frontend.restart(downMs)
          return sendJson(response, 202, { frontend: frontend.state })
        }
        default:
          return sendJson(response, 404, { error: `${request.method} ${request.url} is nothing here: ${usage}` })
      }
    } catch (error) {
      if (!(error instanceof z.ZodError) && !(error instanceof SyntaxError)) throw error
      const problem = error instanceof z.ZodError ? z.prettifyError(error) : error.message
      sendJson(response, 400, { error: `${problem}; ${usage}` })
    }
  })
}

const body = (request: IncomingMessage): Promise<unknown> => json(request)

function state({ catalog, labels, faults, frontend }: AdminDoorOptions): object {
  const databases = catalog.databases.map(database => [
    database,
    Object.fromEntries([...catalog.relations(database)].map(([name, relation]) => [name, relation.kind])),
  ])
  return {
    standIn: true,
    databases: Object.fromEntries(databases),
    labels: labels.counts(),
    frontend: frontend.state,
    faults: faults.state,
  }
}
