import { parse } from 'csv-parse'
import { stringify } from 'csv-stringify/sync'

/** RFC 4180: comma, CRLF after every line (the last too), quotes only where needed. UTF-8 without a mark. */
const dialect = {
  record_delimiter: '\r\n',
  // The library quotes a cell that holds the whole delimiter; the RFC asks for it at a lone CR or LF too.
  quoted_match: /[\r\n]/,
}

/** Lines for these rows; the concatenation of texts is the text of the concatenation. */
export const csvText = (rows: readonly (readonly string[])[]): string => stringify(rows as string[][], dialect)

/** The rows of a CSV text, header included. Throws csv-parse's CsvError where the text is not RFC 4180. */
export async function* csvRows(chunks: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<readonly string[]> {
  const parser = parse({ record_delimiter: dialect.record_delimiter })
  const feeding = feed(parser, chunks)
  // Awaited below; a rejection before that must not count as unhandled.
  feeding.catch(() => {})
  for await (const row of parser) yield row as readonly string[]
  await feeding
}

const feed = async (
  parser: ReturnType<typeof parse>,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<void> => {
  try {
    for await (const chunk of chunks) if (!parser.write(chunk)) await roomIn(parser)
    parser.end()
  } catch (error) {
    parser.destroy(error as Error)
    throw error
  }
}

/** Also when the parser was closed: then nobody reads any more. */
const roomIn = (parser: ReturnType<typeof parse>): Promise<void> =>
  new Promise(resolve => {
    const go = (): void => {
      parser.off('drain', go).off('close', go)
      resolve()
    }
    parser.on('drain', go).on('close', go)
  })
