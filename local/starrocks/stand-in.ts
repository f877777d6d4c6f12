import { mkdir } from 'node:fs/promises'
import { openAdminDoor } from './http/admin-door.ts'
import { openBeDoor } from './http/be-door.ts'
import { Catalog } from './store/catalog.ts'
import { Database } from './store/database.ts'
import { ErrorLogs } from './load/error-logs.ts'
import { openFeDoor } from './http/fe-door.ts'
import { Labels } from './load/labels.ts'
import { limits } from './limits.ts'
import { MaterializedViews } from './store/materialized-views.ts'
import { openMysqlDoor } from './mysql/mysql-door.ts'
import type { Settings } from './settings.ts'
import { StreamLoads } from './load/stream-load.ts'

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
    const loads = new StreamLoads({ database, catalog, labels, errorLogs })
    const { users } = settings
    const be = stack.use(await openBeDoor({ port: settings.beHttpPort, users, catalog, labels, loads, errorLogs }))
    const fe = stack.use(await openFeDoor({ port: settings.feHttpPort, bePort: () => be.port, users, catalog, labels }))
    const parts = { database, catalog, labels, views, bePort: be.port }
    const mysql = stack.use(await openMysqlDoor({ ...parts, port: settings.mysqlPort, users }))
    const { adminPort } = settings
    const admin =
      adminPort === undefined ? undefined : stack.use(await openAdminDoor({ port: adminPort, catalog, labels }))
    return {
      feHttpPort: fe.port,
      beHttpPort: be.port,
      mysqlPort: mysql.port,
      adminPort: admin?.port,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}
