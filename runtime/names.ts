import { z } from 'zod'

/** Everything a stream owns outside the process begins with the stream's name. */
export type StreamNames = {
  readonly stream: string
  readonly topics: { readonly log: string; readonly users: string; readonly commands: string; readonly clock: string }
  readonly groups: {
    readonly bridge: string
    readonly repartition: string
    readonly settle: string
    readonly load: string
    /** Archives `user.outputs`. */
    readonly archive: string
    /** Archives `engine.outputs`. */
    readonly archiveLog: string
  }
  readonly transactionalIds: { readonly bridge: string; readonly repartition: string; readonly commands: string }
  readonly keyspace: string
  readonly database: string
}

/** A stream's name: it begins topics, keyspace, database and folder, so it is what all of them allow. */
export const streamName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,30}$/, 'must be a lower-case letter, then at most 30 of a–z, 0–9 and _')

export const namesOf = (stream: string): StreamNames => ({
  stream,
  topics: {
    log: `${stream}.engine.outputs`,
    users: `${stream}.user.outputs`,
    commands: `${stream}.operator.commands`,
    clock: `${stream}.clock`,
  },
  groups: {
    bridge: `${stream}.bridge`,
    repartition: `${stream}.repartition`,
    settle: `${stream}.settle`,
    load: `${stream}.load`,
    archive: `${stream}.archive`,
    archiveLog: `${stream}.archive-log`,
  },
  transactionalIds: {
    bridge: `${stream}.bridge`,
    repartition: `${stream}.repartition`,
    commands: `${stream}.commands`,
  },
  keyspace: stream,
  database: stream,
})

/** What `settle replay --group` calls a group. */
export const serviceOfGroup = (group: string): string => group.slice(group.indexOf('.') + 1)
