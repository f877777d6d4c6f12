import { mkdir } from 'node:fs/promises'
import { openAdminDoor } from './http/admin-door.ts'
import { openBeDoor } from './http/be-door.ts'
import { Catalog } from './store/catalog.ts'
import { Database } from './store/database.ts'
import { ErrorLogs } from './load/error-logs.ts'
import { Faults } from './faults.ts'
import { openFeDoor } from './http/fe-door.ts'
import { Frontend, type OpenDoors } from './http/frontend.ts'
import { Labels } from './load/labels.ts'
import { limits } from './limits.ts'
import { MaterializedViews } from './store/materialized-views.ts'
import { openMysqlDoor } from './mysql/mysql-door.ts'
import type { Settings } from './settings.ts'
import { StreamLoads } from './load/stream-load.ts'
import { Unpublished } from './load/unpublished.ts'

/** A running stand-in; disposing it closes the doors, then the file. */
export interface StandIn extends AsyncDisposable {
  readonly feHttpPort: number
  readonly beHttpPort: number
  readonly mysqlPort: number
  /** undefined: no admin door. */
  readonly adminPort: number | undefined
}

/**
 * Opens the data folder and all doors.
 * @throws Error for a folder in use by another process, or a port that is taken
 */
export async function startStandIn(settings: Settings): Promise<StandIn> {
  const stack = new AsyncDisposableStack()
  try {
    await mkdir(settings.directory, { recursive: true })
    const database = stack.use(await Database.open(settings))
    const catalog = new Catalog(database)
    await catalog.load()
    const labels = new Labels({ keepMax: settings.labelKeepMax, maxRunning: limits.maxRunningLoadsPerDatabase })
    await labels.load(database)
    const views = stack.use(new MaterializedViews(catalog))
    views.start()
    const errorLogs = new ErrorLogs()
    const unpublished = new Unpublished({ database, catalog, labels })
    await unpublished.recover()
    // The backend is up before the frontend that it asks, as in a cluster.
    const up: { frontend?: Frontend } = {}
    const frontendState = () => up.frontend?.state ?? 'down'
    const parts = { database, catalog, labels, errorLogs, unpublished, frontendState }
    const loads = stack.use(new StreamLoads(parts))
    const faults = new Faults()
    const { users, adminPort } = settings
    const backend = { users, catalog, labels, loads, errorLogs, faults, frontendState }
    const be = stack.use(await openBeDoor({ port: settings.beHttpPort, ...backend }))
    const doors = { database, catalog, labels, views, users, bePort: be.port }
    const open: OpenDoors = async ports => {
      const mysql = await openMysqlDoor({ ...doors, port: ports.mysql })
      try {
        return { http: await openFeDoor({ ...doors, port: ports.http }), mysql }
      } catch (error) {
        await mysql[Symbol.asyncDispose]()
        throw error
      }
    }
    const ports = { http: settings.feHttpPort, mysql: settings.mysqlPort }
    const frontend = stack.use(await Frontend.open(open, ports))
    up.frontend = frontend
    const admin =
      adminPort === undefined
        ? undefined
        : stack.use(await openAdminDoor({ port: adminPort, catalog, labels, faults, frontend }))
    return {
      feHttpPort: frontend.httpPort,
      beHttpPort: be.port,
      mysqlPort: frontend.mysqlPort,
      adminPort: admin?.port,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}
