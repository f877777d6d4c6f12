import type { EnginePosition } from '../../core/events.ts'
import type { Pos } from '../../core/ids.ts'
import { refuse } from '../../runtime/stop.ts'
import { windowOf } from '../../schemas/archive/archive-name.ts'
import { type ArchivedRecord, ArchivedLog } from '../archive/archived-log.ts'
import { type Finding, findingText, type OnFinding, wayOut } from '../archive/finding.ts'
import { PartitionChain } from '../archive/partition-chain.ts'
import { type PartitionFolders, type Survey, survey } from '../archive/survey.ts'
import { restoreLimits } from './limits.ts'

/** What an archive holds of a log, proved by reading all of it. */
export type ArchivedWhole = {
  readonly records: bigint
  readonly bytes: bigint
  /** Of the largest record. */
  readonly largest: number
  readonly first: Pos
  readonly last: { readonly pos: Pos; readonly at: EnginePosition }
  readonly windowMs: number
  readonly lastWindow: bigint
  /** Hash of the last window. */
  readonly head: string
  /** Ids of the operators' commands that it answers. */
  readonly commandIds: ReadonlySet<string>
}

/** The log's archive in a folder, to be read in order as often as wanted. */
export class ArchiveSource {
  readonly #dir: string
  readonly #found: Survey
  /** About the log: what is wrong with the tables of `user.outputs` does not matter, they are made again from it. */
  readonly #wrong: readonly Finding[]

  private constructor(dir: string, found: Survey, wrong: readonly Finding[]) {
    this.#dir = dir
    this.#found = found
    this.#wrong = wrong
  }

  static async open(dir: string, stream: string): Promise<ArchiveSource> {
    const wrong: Finding[] = []
    const found = await survey(dir, stream, finding => {
      if (finding.file.startsWith(`${stream}/engine.outputs`)) wrong.push(finding)
    })
    return new ArchiveSource(dir, found, wrong)
  }

  get folders(): Survey {
    return this.#found
  }

  /** Reads everything. @throws Stop `restore-archive-broken` with what is wrong, `restore-archive-empty` */
  async prove(onProgress: (windows: number, of: number) => void): Promise<ArchivedWhole> {
    const wrong = [...this.#wrong]
    let count = wrong.length
    const onFinding = (finding: Finding): void => {
      if (++count <= restoreLimits.shownFindings) wrong.push(finding)
    }
    const whole = await this.#readAll(onFinding, onProgress)
    if (count > 0) throw broken(wrong, count)
    if (!whole)
      throw refuse(
        'restore-archive-empty',
        `${this.#dir} holds no window of engine.outputs: there is nothing to restore from`,
      )
    return whole
  }

  /**
   * The records from a pos on, that one included, or all of them.
   * @throws Stop `restore-archive-changed` when a file is no longer what it was when it was proved
   */
  async *records(whole: ArchivedWhole, from: Pos | null): AsyncGenerator<ArchivedRecord> {
    const onFinding: OnFinding = finding => {
      throw refuse(
        'restore-archive-changed',
        `${findingText(finding)}: the archive was changed while it was read; nothing of that file was written after that line`,
      )
    }
    const start = from === null ? 0n : windowOf(from, whole.windowMs)
    const { windows, outputs } = this.#found.log.windows
    const folders: PartitionFolders = {
      ...this.#found.log,
      windows: {
        ...this.#found.log.windows,
        windows: windows.filter(window => window >= start),
        outputs: outputs.filter(window => window >= start),
      },
    }
    const begins = folders.windows.windows.length === windows.length ? 'at the first window' : 'in the middle'
    const chain = new PartitionChain(this.#dir, folders, onFinding, begins)
    const log = new ArchivedLog(this.#dir, onFinding)
    if (begins === 'in the middle') log.lost()
    while (chain.next !== null) {
      const sidecar = await chain.take()
      if (!sidecar) return
      for await (const archived of log.records(sidecar))
        if (from === null || archived.record.pos >= from) yield archived
    }
  }

  async #readAll(
    onFinding: OnFinding,
    onProgress: (windows: number, of: number) => void,
  ): Promise<ArchivedWhole | null> {
    const chain = new PartitionChain(this.#dir, this.#found.log, onFinding)
    const log = new ArchivedLog(this.#dir, onFinding)
    const of = this.#found.log.windows.windows.length
    const commandIds = new Set<string>()
    let [records, bytes, largest] = [0n, 0n, 0]
    let [first, last] = [null as ArchivedWhole['first'] | null, null as ArchivedWhole['last'] | null]
    let sealed = null as Pick<ArchivedWhole, 'windowMs' | 'lastWindow' | 'head'> | null
    for (let passed = 1; chain.next !== null; passed++) {
      const sidecar = await chain.take()
      if (!sidecar) {
        log.lost()
        continue
      }
      for await (const { record, value } of log.records(sidecar)) {
        if ('command' in record && commandIds.size < restoreLimits.commandIds) commandIds.add(record.command.id)
        records++
        bytes += BigInt(value.length)
        largest = Math.max(largest, value.length)
        first ??= record.pos
        last = { pos: record.pos, at: record.at }
      }
      sealed = { windowMs: sidecar.windowMs, lastWindow: sidecar.window, head: sidecar.hash }
      onProgress(passed, of)
    }
    chain.finish()
    return first && last && sealed ? { records, bytes, largest, first, last, ...sealed, commandIds } : null
  }
}

const broken = (wrong: readonly Finding[], count: number): Error => {
  const lines = wrong.map(findingText)
  if (count > wrong.length) lines.push(`and ${count - wrong.length} more`)
  const ways = [...new Set(wrong.map(wayOut))].map(way => `way out: ${way}`)
  return refuse(
    'restore-archive-broken',
    ['the archive of engine.outputs is not whole, nothing was written:', ...lines, ...ways].join('\n  '),
    { findings: count },
  )
}
