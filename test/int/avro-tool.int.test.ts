import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { jars } from '../../local/jar-cache.ts'
import { settingsFrom } from '../../local/settings.ts'
import { goldenFolder } from '../../schemas/golden.ts'
import { standaloneSchema } from '../../schemas/standalone.ts'

const run = promisify(execFile)
/** What a Java that lives for a second needs not do. */
const quickStart = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
let folder: string
let jar: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'settle-avro-'))
  const { cacheDir } = settingsFrom(process.env)
  const set = { name: 'avro-tools', usualDownloads: 2 }
  const found = await jars(set, { cacheDir, pomDir: import.meta.dirname })
  const name = (await readdir(found)).find(each => each.endsWith('.jar'))
  jar = join(found, name as string)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Apache's own `avro-tools fragtojson`: one value, given nothing but its schema. */
const fragmentToJson = async (schemaName: string, bytes: Buffer): Promise<unknown> => {
  const [schema, fragment] = [join(folder, `${schemaName}.avsc`), join(folder, `${schemaName}.bin`)]
  await writeFile(schema, JSON.stringify(standaloneSchema(schemaName)))
  await writeFile(fragment, bytes)
  const { stdout } = await run('java', [...quickStart, '-jar', jar, 'fragtojson', '--schema-file', schema, fragment], {
    timeout: 60_000,
  })
  // JSON.parse would round longs; as strings they are compared digit by digit.
  return JSON.parse(stdout.replace(/([:[,]\s*)(-?\d+)(?=\s*[,\]}])/g, '$1"$2"'))
}
const golden = async (name: string): Promise<Buffer> => readFile(new URL(name, goldenFolder))
const framed = async (name: string): Promise<Buffer> => (await golden(name)).subarray(5)

test('an ordinary Avro tool reads an engine output: its trade, its orders and every amount', async () => {
  const read = await fragmentToJson('settle.EngineOutput', await golden('output.trade.bin'))
  const said = JSON.parse((await golden('output.trade.json')).toString())
  expect(read).toEqual({
    ...said,
    trades: [asTold(said.trades[0])],
    orders: said.orders.map(asTold),
    changes: said.changes.map(asTold),
  })
})

test('and one with every integer at its end', async () => {
  const read = (await fragmentToJson('settle.EngineOutput', await golden('output.edge.bin'))) as { changes: object[] }
  const said = JSON.parse((await golden('output.edge.json')).toString())
  expect(read.changes).toEqual(said.changes.map(asTold))
})

test('a record of each topic', async () => {
  const output = await fragmentToJson('settle.log.Output', await framed('log.Output.bin'))
  const said = JSON.parse((await golden('log.Output.json')).toString())
  expect(output).toMatchObject({ pos: said.pos, output: { trades: [asTold(said.output.trades[0])] } })
  const barrier = await fragmentToJson('settle.user.Barrier', await framed('user.Barrier.bin'))
  expect(barrier).toMatchObject({ n: '12', previous: '1700000000000000', ns: ['12', '1', '9223372036854775807'] })
})

/** Small ints stand as numbers in the golden JSON; the tool's output was read as strings. */
const asTold = (value: object): object =>
  Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, typeof each === 'number' ? String(each) : each]),
  )
