import { mkdir } from 'node:fs/promises'
import { openBeDoor } from './be-door.ts'
import { Catalog } from './catalog.ts'
import { Database } from './database.ts'
import { ErrorLogs } from './error-logs.ts'
import { openFeDoor } from './fe-door.ts'
import { Labels } from './labels.ts'
import { limits } from './limits.ts'
import { MaterializedViews } from './materialized-views.ts'
import { openMysqlDoor } from './mysql-door.ts'
import type { Settings } from './settings.ts'
import { StreamLoads } from './stream-load.ts'

/** A running stand-in; disposing it closes the doors, then the file. */
export interface StandIn extends AsyncDisposable {
  readonly feHttpPort: number
  readonly beHttpPort: number
  readonly mysqlPort: number
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
    return {
      feHttpPort: fe.port,
      beHttpPort: be.port,
      mysqlPort: mysql.port,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}
