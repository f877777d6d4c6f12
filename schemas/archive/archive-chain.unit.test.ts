import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { chainProblems, sidecarProblems } from './archive-chain.ts'
import {
  archiveFileName,
  archiveFolder,
  type ArchivePlace,
  parseArchiveFileName,
  windowOf,
  windowStart,
} from './archive-name.ts'
import {
  type ArchivedFile,
  decodeSidecar,
  encodeSidecar,
  type HashedWindow,
  type Sidecar,
  windowHash,
  zeroHash,
} from './sidecar.ts'
import { ArchiveFormatError } from './table.ts'

const partition = { stream: 'demo', topic: 'user.outputs', partition: 3, partitions: 12 } as const
const sealed = (window: bigint, before: string): Sidecar => {
  const table = 'trades'
  const name = archiveFileName({ ...partition, table, window })
  const firstPos = windowStart(window, 1000)
  const file = { table, name, rows: 2n, firstPos, lastPos: firstPos + 5n, bytes: 99n, sha256: 'b'.repeat(64) } as const
  const hashed: HashedWindow = { ...partition, windowMs: 1000, window, before, files: [file] }
  return { ...hashed, hash: windowHash(hashed), read: { firstOffset: 1n, lastOffset: 2n, firstN: 3n, lastN: 4n } }
}
const chain = (): [Sidecar, Sidecar, Sidecar] => {
  const first = sealed(5n, zeroHash)
  const second = sealed(9n, first.hash)
  return [first, second, sealed(10n, second.hash)]
}

test('a whole chain has no problems, empty windows between or not', () => expect(chainProblems(chain())).toEqual([]))

test('the hash is SHA-256 of the documented lines', () => {
  const [first] = chain()
  const lines = [
    'settle archive 1',
    `before ${'0'.repeat(64)}`,
    'stream demo',
    'topic user.outputs',
    'partition 3 of 12',
    'window 5 of 1000 ms',
    `trades rows 2 pos 5000000 5000005 bytes 99 sha256 ${'b'.repeat(64)}`,
    '',
  ]
  expect(first.hash).toBe(createHash('sha256').update(lines.join('\n')).digest('hex'))
})

describe('each way in which a chain is broken is named', () => {
  const [first, second, third] = chain()
  const [file] = first.files as [ArchivedFile]
  const rehashed = (sidecar: Sidecar): Sidecar => ({ ...sidecar, hash: windowHash(sidecar) })
  test.each<[string, readonly Sidecar[], RegExp]>([
    ['a missing window', [first, third], /window 10: it follows a window of hash .* window 5 has/],
    ['a missing first window', [second, third], /it is the first/],
    ['another order', [first, third, second], /it comes after window 10/],
    ['a changed row count', [{ ...first, files: [{ ...file, rows: 3n }] }], /its content gives/],
    ['a changed hash before', [{ ...first, before: second.hash }], /its content gives/],
    ['another window length', [first, rehashed({ ...second, windowMs: 500 })], /windows of 500 ms after/],
    [
      'another partition',
      [first, rehashed({ ...second, partition: 4 })],
      /follows demo.user.outputs partition 3 of 12/,
    ],
    ['another stream', [rehashed({ ...first, stream: 'live' })], /where live.user.outputs/],
    ['pos outside', [rehashed({ ...first, files: [{ ...file, lastPos: 7_000_000n }] })], /not in window 5/],
    ['no rows', [rehashed({ ...first, files: [{ ...file, rows: 0n }] })], /0 rows/],
    ['tables twice', [rehashed({ ...first, files: [file, file] })], /its files are trades, trades/],
  ])('%s', (_, sidecars, problem) => expect(chainProblems(sidecars).join('\n')).toMatch(problem))
  test('offsets are beside the hash', () => {
    const moved = { ...first, read: { ...first.read, firstOffset: 77n } }
    expect(sidecarProblems(moved)).toEqual([])
  })
})

describe('a sidecar', () => {
  test('reads back what was written', () => {
    const [first] = chain()
    expect(decodeSidecar(encodeSidecar(first), 'x')).toEqual(first)
  })
  test.each(['', '[]', '{"format":"settle archive 2"}', 'null'])('is not %j', text =>
    expect(() => decodeSidecar(Buffer.from(text), 'x.json')).toThrow(ArchiveFormatError),
  )
  test('names each field that is wrong', () => {
    const json = JSON.parse(encodeSidecar(chain()[0]).toString()) as Record<string, unknown>
    const wrong = Buffer.from(JSON.stringify({ ...json, hash: 'abc', files: [], extra: 1 }))
    expect(() => decodeSidecar(wrong, 'x.json')).toThrow(/x\.json is not a sidecar: .*files.*hash must be 64 digits/)
  })
})

describe('names', () => {
  const place: ArchivePlace = { ...partition, table: 'trades', window: 495_123n }
  test('hold stream, topic, table, partition and window', () => {
    expect(archiveFileName(place)).toBe('demo.user.outputs.trades.03-of-12.0000000495123.csv')
    expect(archiveFileName({ ...place, table: 'windows' })).toBe(
      'demo.user.outputs.windows.03-of-12.0000000495123.json',
    )
    expect(archiveFolder(place)).toEqual(['demo', 'user.outputs', 'trades', '03-of-12'])
    expect(parseArchiveFileName(archiveFileName(place))).toEqual(place)
  })
  test('sort as partitions and windows do', () => {
    const names = [0, 9, 10, 99, 100].flatMap(p =>
      [1n, 9n, 10n, windowOf(2n ** 63n - 1n, 1000)].map(window =>
        archiveFileName({ ...place, partition: p, partitions: 128, window }),
      ),
    )
    expect([...names].sort()).toEqual(names)
  })
  test.each([
    'demo.user.outputs.trades.03-of-12.0000000495123.csv.one-ab.part',
    'demo.user.outputs.trades.03-of-12.495123.csv',
    'demo.user.outputs.trades.12-of-12.0000000495123.csv',
    'demo.user.outputs.trades.3-of-12.0000000495123.csv',
    'demo.user.outputs.outputs.03-of-12.0000000495123.csv',
    'demo.user.outputs.trades.03-of-12.0000000495123.json',
    'notes.txt',
  ])('%s is none', name => expect(parseArchiveFileName(name)).toBeNull())
  test('windows are [k·W, (k+1)·W)', () => {
    expect(windowOf(4_999_999n, 1000)).toBe(4n)
    expect(windowOf(5_000_000n, 1000)).toBe(5n)
    expect(windowStart(5n, 1000)).toBe(5_000_000n)
  })
})
