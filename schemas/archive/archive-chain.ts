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
 * window. Empty windows have no sidecar; that none is missing follows from each one's hash of the one before.
 */
export const chainProblems = (sidecars: readonly Sidecar[]): readonly string[] => {
  const problems: string[] = []
  let previous: Sidecar | undefined
  for (const sidecar of sidecars) {
    const where = `${sidecar.stream}.${sidecar.topic} partition ${sidecar.partition} of ${sidecar.partitions}, window ${sidecar.window}`
    problems.push(...sidecarProblems(sidecar).map(problem => `${where}: ${problem}`))
    const before = previous?.hash ?? zeroHash
    if (sidecar.before !== before)
      problems.push(
        `${where}: it follows a window of hash ${sidecar.before}, but ${previous ? `window ${previous.window} has ${before}` : 'it is the first'}; a window is missing or foreign`,
      )
    if (previous && sidecar.window <= previous.window)
      problems.push(`${where}: it comes after window ${previous.window}`)
    if (previous && sidecar.windowMs !== previous.windowMs)
      problems.push(`${where}: windows of ${sidecar.windowMs} ms after windows of ${previous.windowMs} ms`)
    if (previous && identity(previous) !== identity(sidecar))
      problems.push(`${where}: it follows ${identity(previous)}`)
    previous = sidecar
  }
  return problems
}

const identity = ({ stream, topic, partition, partitions }: Sidecar): string =>
  `${stream}.${topic} partition ${partition} of ${partitions}`
