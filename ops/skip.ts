import { InvalidArgumentError, Option } from 'commander'
import { storeSettings } from './settings.ts'

const skippable = ['scylladb', 'starrocks', 'archive'] as const
/** A place that a command may leave out: a stream need not have it. */
export type Skipped = (typeof skippable)[number]

const parsed = (text: string): ReadonlySet<Skipped> =>
  new Set(
    text.split(',').map(word => {
      const found = skippable.find(name => name === word.trim())
      if (found === undefined) throw new InvalidArgumentError(`must be some of ${skippable.join(', ')}`)
      return found
    }),
  )

/** `--skip scylladb,starrocks` */
export const skipOption = (what: string): Option =>
  new Option('--skip <places>', what).argParser(parsed).default(new Set<Skipped>(), 'nothing')

/** The settings of the places that are not left out. */
export const settingsWithout = (skip: ReadonlySet<Skipped>) => {
  const { CQL_CONTACT_POINTS, STARROCKS_MYSQL } = storeSettings
  return {
    ...storeSettings,
    CQL_CONTACT_POINTS: skip.has('scylladb') ? CQL_CONTACT_POINTS.default([]) : CQL_CONTACT_POINTS,
    STARROCKS_MYSQL: skip.has('starrocks') ? STARROCKS_MYSQL.default('') : STARROCKS_MYSQL,
  }
}
