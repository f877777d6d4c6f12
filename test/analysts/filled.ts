import type { CorrectionBody, EngineOutput, UserRecord } from '../../core/events.ts'
import { amount, pos, version } from '../../core/ids.ts'
import { partitionOf } from '../../core/partition.ts'
import { migrateStarRocks } from '../../runtime/starrocks/migrate.ts'
import { openMysql } from '../../runtime/starrocks/mysql.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import { viewNames } from '../../schemas/starrocks/tables.ts'
import { type LocalStarRocks, loadWholeTopic } from '../../sink-starrocks/load/testing/load-whole-topic.ts'
import { userTopic } from '../../sink-starrocks/load/testing/user-topic.ts'
import { type Answer, naiveAnswers } from './naive-answers.ts'
import { type Corrected, naiveWorld } from './naive-world.ts'
import { type NaiveViews, naiveViews } from './naive-views.ts'
import { reference, twoMarkets } from './two-markets.ts'

const partitions = 3

export const openSqlAt = ({ mysql }: LocalStarRocks, database?: string): SqlPort =>
  openMysql({ address: `127.0.0.1:${mysql}`, user: 'root', password: '', ...(database !== undefined && { database }) })

/** What the naive ledger says to each question of the page, and what it says is in each view. */
export type NaiveWords = { readonly answers: ReadonlyMap<string, Answer>; readonly views: NaiveViews }

/**
 * Makes a stream's database, loads two days of trading into it by the service itself, and makes the views anew.
 */
export const fillForAnalysts = async (doors: LocalStarRocks, stream: string): Promise<NaiveWords> => {
  const openSql = (database?: string): SqlPort => openSqlAt(doors, database)
  await migrateStarRocks({ database: stream, stream, partitions, openSql, replicationNum: 1, mode: 'apply' })
  const outputs = twoMarkets()
  const topic = userTopic(outputs, { partitions, barrierEvery: 50, reference })
  const corrected = correctLast(topic, outputs)
  await loadWholeTopic({ topic, stream, doors })
  const sql = openSql(stream)
  // In the order in which they were made: user_pnl is made from others.
  for (const view of viewNames) await sql.query(`REFRESH MATERIALIZED VIEW ${view} WITH SYNC MODE`)
  await sql.close()
  const world = naiveWorld(outputs, reference, corrected)
  return { answers: naiveAnswers(world), views: naiveViews(world) }
}

/** An operator's correction of the last account that changed, at the end of its user's partition. */
const correctLast = (topic: UserRecord[][], outputs: readonly EngineOutput[]): Corrected => {
  const last = outputs.flatMap(({ changes }) => changes).at(-1)
  const records = last && topic[partitionOf(last.user, partitions)]
  const before = records?.at(-1)
  if (!last || !records || !before) throw new Error('the outputs change no balance')
  const { user, asset, frozen } = last
  const correction: CorrectionBody = {
    ...{ user, asset, frozen, version: version(last.version + 1n), deltaFrozen: amount(0n) },
    ...{ deltaAvailable: amount(77n), available: amount(last.available + 77n) },
  }
  const head = { n: before.n + 1n, src: before.src + 1n, pos: pos(before.pos + 1n) }
  const command = { id: 'c1', who: 'operator', why: 'lost in a gap', time: head.pos }
  records.push({ ...head, kind: 'UserCorrection', command, correction })
  return { pos: head.pos, correction }
}
