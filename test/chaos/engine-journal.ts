import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EnginePosition } from '../../core/events.ts'
import { fromBigintJson } from '../../sim/engine/bigint-json.ts'
import { damageAt, readSegmentHeader, scanSegment } from '../../sim/engine/journal/segment.ts'
import type { SessionRow } from '../../sim/engine/journal/sessions.ts'

/** One output as the engine's journal holds it. */
export type JournalOutput = { readonly at: EnginePosition; readonly payload: Buffer }

/** Every life of the engine, in order. Read while the engine may go on: the file is replaced whole. */
export const readSessions = async (folder: string): Promise<readonly SessionRow[]> =>
  fromBigintJson(await readFile(join(folder, 'sessions.json'), 'utf8')) as SessionRow[]

/**
 * Everything in the engine's journal, from its very first output on, while no engine writes it.
 * @throws JournalError when a file is damaged, Error when the beginning is gone
 */
export async function* readJournal(folder: string): AsyncGenerator<JournalOutput, void, undefined> {
  const sessions = await readSessions(folder)
  const names = (await readdir(folder)).filter(name => name.endsWith('.journal')).sort()
  let row = 0
  let expected = 1n
  for (const name of names) {
    const segment = await readSegmentHeader(join(folder, name))
    if (!segment || segment.first !== expected) throw new Error(`${name}: the journal has no output ${expected}`)
    const scan = scanSegment(segment, segment.first)
    let step = await scan.next()
    for (; !step.done; step = await scan.next())
      for (const { index, chain, payload } of step.value) {
        // Of several lives that began at the same output all but the last were over before it.
        for (let next = sessions[row + 1]; next && next.first <= index; next = sessions[row + 1]) row++
        const life = sessions[row]
        if (!life) throw new Error(`output ${index} belongs to no session`)
        const { epoch, random, first } = life
        yield { at: { epoch, random, seq: index - first + 1n, chain }, payload }
        expected = index + 1n
      }
    if (step.value.kind === 'broken') throw damageAt(segment, step.value)
  }
}
