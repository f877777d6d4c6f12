import type { UserRecord } from './events.ts'
import type { UserId } from './ids.ts'

/** Whose balances a record of `user.outputs` is about; null for one that is about nobody's. */
export const userOf = (record: UserRecord): UserId | null => {
  switch (record.kind) {
    case 'UserOutput':
    case 'UserRedrive':
      return record.user
    case 'UserCorrection':
      return record.correction.user
    case 'UserReference':
    case 'Barrier':
      return null
  }
}
