import { archiveFileName, windowOf } from './archive-name.ts'
import { archiveTables } from './archive-tables.ts'
import { type Sidecar, windowHash, zeroHash } from './sidecar.ts'

/** What is wrong with a sidecar by itself, in words; its files' bytes are another matter. */
export const sidecarProblems = (sidecar: Sidecar): readonly string[] => {
  const problems: string[] = []
  const hash = windowHash(sidecar)
  if (hash !== sidecar.hash) problems.push(`its hash is ${sidecar.hash}, its content gives ${hash}`)
  const order: readonly string[] = archiveTables[sidecar.topic]
  const ranks = sidecar.files.map(({ table }) => order.indexOf(table))
  if (ranks.some((rank, i) => rank < 0 || rank <= (ranks[i - 1] ?? -1)))
    problems.push(
      `its files are ${sidecar.files.map(({ table }) => table).join(', ')}, of ${order.join(', ')} in that order`,
    )
  for (const { table, name, rows, firstPos, lastPos } of sidecar.files) {
    const expected = archiveFileName({ ...sidecar, table })
    if (name !== expected) problems.push(`it names ${name} where ${expected} belongs`)
    if (rows < 1n || firstPos > lastPos) problems.push(`${name}: ${rows} rows from pos ${firstPos} to ${lastPos}`)
    for (const pos of [firstPos, lastPos])
      if (windowOf(pos, sidecar.windowMs) !== sidecar.window)
        problems.push(`${name}: pos ${pos} is not in window ${sidecar.window}`)
  }
  return problems
}

/**
 * What is wrong with the sidecars of one partition, taken in the order of their windows: each problem names the
 * window.
 */
export const chainProblems = (sidecars: readonly Sidecar[]): readonly string[] =>
  sidecars.flatMap((sidecar, i) => {
    const where = `${identity(sidecar)}, window ${sidecar.window}`
    const problems = [...sidecarProblems(sidecar), ...linkProblems(sidecars[i - 1] ?? null, sidecar)]
    return problems.map(problem => `${where}: ${problem}`)
  })

/**
 * What is wrong with a sidecar as the one after `previous` (null: as the first). Empty windows have no sidecar; that
 * none is missing follows from each one's hash of the one before.
 */
export const linkProblems = (previous: Sidecar | null, sidecar: Sidecar): readonly string[] => {
  const problems: string[] = []
  const before = previous?.hash ?? zeroHash
  if (sidecar.before !== before)
    problems.push(
      `it follows a window of hash ${sidecar.before}, but ${previous ? `window ${previous.window} has ${before}` : 'it is the first'}; a window is missing or foreign`,
    )
  if (!previous) return problems
  if (sidecar.window <= previous.window) problems.push(`it comes after window ${previous.window}`)
  if (previous.windowMs !== sidecar.windowMs)
    problems.push(`windows of ${sidecar.windowMs} ms after windows of ${previous.windowMs} ms`)
  if (identity(previous) !== identity(sidecar)) problems.push(`it follows ${identity(previous)}`)
  return problems
}

const identity = ({ stream, topic, partition, partitions }: Sidecar): string =>
  `${stream}.${topic} partition ${partition} of ${partitions}`
