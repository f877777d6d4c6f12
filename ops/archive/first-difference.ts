import { createReadStream } from 'node:fs'
import { Stop } from '../../runtime/stop.ts'
import { isMissing, unreadable } from './archive-files.ts'

const maxShown = 300

/**
 * The first line in which a file is not the text that it should be; null when there is none. Neither is kept in memory.
 * @throws Stop `archive-unreadable`
 */
export const firstDifference = async (
  path: string,
  expected: AsyncIterable<string>,
): Promise<{ readonly line: number; readonly problem: string } | null> => {
  const found = linesOf(createReadStream(path) as AsyncIterable<Buffer>)
  const should = linesOf(expected)
  try {
    for (let line = 1; ; line++) {
      const [a, b] = [await should.next(), await found.next()]
      if (a.done && b.done) return null
      const [want, is] = [a.done ? null : a.value, b.done ? null : b.value]
      if (want !== is) return { line, problem: `expected ${shown(want)}, found ${shown(is)}` }
    }
  } catch (error) {
    if (isMissing(error)) return null
    if (error instanceof Stop) throw error
    throw unreadable(path, error)
  } finally {
    await found.return(undefined)
    await should.return(undefined)
  }
}

/** Lines with their ends; bytes as Latin-1, so that what is no UTF-8 differs too. */
async function* linesOf(chunks: AsyncIterable<Buffer | string>): AsyncGenerator<string, undefined> {
  let rest = ''
  for await (const chunk of chunks) {
    rest += (typeof chunk === 'string' ? Buffer.from(chunk) : chunk).toString('latin1')
    let from = 0
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', from)) {
      yield rest.slice(from, end + 1)
      from = end + 1
    }
    rest = rest.slice(from)
  }
  if (rest !== '') yield rest
}

const shown = (line: string | null): string => {
  if (line === null) return 'the end of the file'
  const text = JSON.stringify(Buffer.from(line, 'latin1').toString('utf8'))
  return text.length <= maxShown ? text : `${text.slice(0, maxShown)}… (${text.length} characters)`
}
