import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Fixture, openFixture } from '../../local/starrocks/testing/fixture.ts'
import type { LocalStarRocks } from '../../sink-starrocks/load/testing/load-whole-topic.ts'
import { mysql2Client, mysqlCli, pythonClient } from '../analysts/clients.ts'
import { fillForAnalysts } from '../analysts/filled.ts'
import type { Answer } from '../analysts/naive-answers.ts'
import { questions } from '../analysts/page.ts'
import { expectAnswer } from '../analysts/same-answer.ts'

const stream = 'analysts'
const page = await questions()
let starrocks: Fixture
let doors: LocalStarRocks
let answers: ReadonlyMap<string, Answer>

beforeAll(async () => {
  starrocks = await openFixture()
  const { feHttpPort: feHttp, beHttpPort: beHttp, mysqlPort: mysql } = starrocks.standIn
  doors = { feHttp, beHttp, mysql }
  ;({ answers } = await fillForAnalysts(doors, stream))
})
afterAll(async () => starrocks?.[Symbol.asyncDispose]())

it('the page asks a dozen questions at least, and every one has an answer of the naive ledger', () => {
  expect(page.length).toBeGreaterThanOrEqual(12)
  expect([...answers.keys()]).toEqual(page.map(({ title }) => title))
  for (const [title, rows] of answers) expect({ title, isEmpty: rows.length === 0 }).toEqual({ title, isEmpty: false })
})

describe.each([
  ['mysql2', async () => mysql2Client],
  ['the mysql command line', mysqlCli],
  ['PyMySQL', pythonClient],
])('%s', (_, open) => {
  it('gets the naive ledger’s answer to every question of the page', async () => {
    const askAll = await open()
    const printed = await askAll({ port: doors.mysql, database: stream }, page)
    for (const [index, { title }] of page.entries()) expectAnswer(title, printed[index] ?? [], answers.get(title) ?? [])
  }, 300_000)
})
