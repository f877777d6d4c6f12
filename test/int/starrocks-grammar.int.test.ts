import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { jars } from '../../local/jar-cache.ts'
import { settingsFrom } from '../../local/settings.ts'
import { migrations } from '../../schemas/starrocks/migrations.ts'
import { questions } from '../analysts/page.ts'

const run = promisify(execFile)
let folder: string
let classPath: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'settle-grammar-'))
  const { cacheDir } = settingsFrom(process.env)
  const found = await jars({ name: 'starrocks-grammar', usualDownloads: 4 }, { cacheDir, pomDir: import.meta.dirname })
  const names = (await readdir(found)).filter(name => name.endsWith('.jar'))
  classPath = names.map(name => join(found, name)).join(delimiter)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/**
 * What the parser says of each statement, '' when it is in the grammar. The frontend shows its lexer every character in
 * upper case; so do we.
 */
const complaints = async (statements: ReadonlyMap<string, string>): Promise<Map<string, string>> => {
  const files: string[] = []
  for (const [name, sql] of statements) {
    const file = join(folder, encodeURIComponent(name).slice(0, 200))
    await writeFile(file, sql.toUpperCase())
    files.push(file)
  }
  const grammar = 'io.github.melin.superior.parser.starrocks.antlr4.StarRocks'
  const java = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', classPath]
  const testRig = [...java, 'org.antlr.v4.gui.TestRig', grammar, 'sqlStatements', '-encoding', 'UTF-8', ...files]
  const { stderr } = await run('java', testRig, { timeout: 120_000, maxBuffer: 16 * 1024 * 1024 })
  // With several files it names each before what it says of it.
  const said = new Map<string, string>()
  let current = ''
  for (const line of stderr.split('\n')) {
    const index = files.indexOf(line)
    if (index >= 0) {
      current = [...statements.keys()][index] as string
      said.set(current, '')
    } else if (line !== '') said.set(current, `${said.get(current) ?? ''}${line}\n`)
  }
  return said
}

it('every statement of the migrations and every query of the analysts’ page is in StarRocks’ grammar', async () => {
  const statements = new Map<string, string>()
  for (const { name, statements: all } of migrations)
    for (const [index, statement] of all.entries()) statements.set(`${name} ${index + 1}`, statement)
  for (const { title, sql } of await questions()) statements.set(title.slice(0, 60), sql)
  expect(statements.size).toBeGreaterThan(30)
  const said = await complaints(statements)
  expect([...said.keys()]).toEqual([...statements.keys()])
  expect([...said].filter(([, complaint]) => complaint !== '')).toEqual([])
})

it('and the parser would say so if one were not', async () => {
  const [, views] = migrations
  const view = views?.statements[0] ?? ''
  const said = await complaints(
    new Map([
      ['right', view],
      ['wrong clause', view.replace('REFRESH ASYNC EVERY (INTERVAL 1 MINUTE)', 'REFRESH EVERY 1 MINUTE')],
      ['wrong query', 'SELECT a FROM t WHERE b = = 1'],
    ]),
  )
  expect([...said].map(([name, complaint]) => [name, complaint === ''])).toEqual([
    ['right', true],
    ['wrong clause', false],
    ['wrong query', false],
  ])
})
