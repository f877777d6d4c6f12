import type { SqlFailure } from '../../runtime/starrocks/sql-port.ts'
import { Stop } from '../../runtime/stop.ts'

/** The MySQL door failed where this service can't go on without it: as a Stop with the way out. */
export const unreachable = (error: SqlFailure): Stop =>
  new Stop({
    code: error.kind === 'retriable' ? 'starrocks-unreachable' : 'starrocks-refused',
    reason: error.kind === 'retriable' ? 'failed' : 'refused',
    message: `${error.message}; check that StarRocks runs, and STARROCKS_MYSQL, STARROCKS_USER and STARROCKS_PASSWORD`,
    cause: error,
  })
