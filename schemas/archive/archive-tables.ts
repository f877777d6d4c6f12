/** Tables per topic, in the order in which a window's hash takes them. */
export const archiveTables = {
  'user.outputs': ['trades', 'orders', 'ledger', 'reference'],
  'engine.outputs': ['outputs'],
} as const

/** Topics by the name they have after the stream's. */
export type ArchiveTopic = keyof typeof archiveTables
export type UserTable = (typeof archiveTables)['user.outputs'][number]
type LogTable = (typeof archiveTables)['engine.outputs'][number]
export type ArchiveTable = UserTable | LogTable
