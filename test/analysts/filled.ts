import type { EngineOutput } from '../../core/events.ts'
import { isOpen } from '../../core/order-lifecycle.ts'
import { migrateStarRocks } from '../../runtime/starrocks/migrate.ts'
import { openMysql } from '../../runtime/starrocks/mysql.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import { viewNames } from '../../schemas/starrocks/tables.ts'
import { busyOutputs } from '../../sink-starrocks/load/testing/busy-outputs.ts'
import { type LocalStarRocks, loadWholeTopic } from '../../sink-starrocks/load/testing/load-whole-topic.ts'
import { tinyReference, userTopic } from '../../sink-starrocks/load/testing/user-topic.ts'
import { type Answer, naiveAnswers } from './naive-answers.ts'
import { naiveWorld } from './naive-world.ts'

/** As far as leaves orders open, so that every question has an answer. */
const whileOrdersAreOpen = (outputs: readonly EngineOutput[]): readonly EngineOutput[] => {
  const open = new Set<bigint>()
  let length = 0
  for (const [index, { orders }] of outputs.entries()) {
    for (const { order, state } of orders) {
      if (isOpen(state)) open.add(order)
      else open.delete(order)
    }
    if (open.size >= 5) length = index + 1
  }
  return outputs.slice(0, length)
}

/** Two days of trading, two outputs a time, so that only pos tells which of them came first. */
const outputs = (): readonly EngineOutput[] =>
  whileOrdersAreOpen(busyOutputs(4_000)).map((output, index) => ({
    ...output,
    time: 1_700_000_000_000_000n + BigInt(index >> 1) * 108_000_003n,
  }))

const partitions = 3

export const openSqlAt = ({ mysql }: LocalStarRocks, database?: string): SqlPort =>
  openMysql({ address: `127.0.0.1:${mysql}`, user: 'root', password: '', ...(database !== undefined && { database }) })

/**
 * Makes a stream's database, loads two days of trading into it by the service itself, and makes the views anew.
 * Returns what the naive ledger answers to each question of the page.
 */
export const fillForAnalysts = async (doors: LocalStarRocks, stream: string): Promise<ReadonlyMap<string, Answer>> => {
  const openSql = (database?: string): SqlPort => openSqlAt(doors, database)
  await migrateStarRocks({ database: stream, stream, partitions, openSql, replicationNum: 1, mode: 'apply' })
  const days = outputs()
  await loadWholeTopic({ topic: userTopic(days, { partitions, barrierEvery: 50 }), stream, doors })
  const sql = openSql(stream)
  // In the order in which they were made: user_pnl is made from others.
  for (const view of viewNames) await sql.query(`REFRESH MATERIALIZED VIEW ${view} WITH SYNC MODE`)
  await sql.close()
  return naiveAnswers(naiveWorld(days, tinyReference))
}
