import { checkOutput } from '../../core/check-output.ts'
import type { Command, EngineOutput } from '../../core/events.ts'
import { flowOfChanges, isExternal } from '../../core/flow.ts'
import type { Pos } from '../../core/ids.ts'
import { refuse } from '../../runtime/stop.ts'
import { decodeUserRecord } from '../../schemas/codec.ts'
import { tableText } from '../table-text.ts'
import { checkWaiting } from './check-waiting.ts'
import { signedText } from './display.ts'
import { operateLimits } from './limits.ts'
import { lastAtPos, type PlacedLogRecord } from './log-places.ts'
import type { OperatorPlaces, OperatorRequest, Plan } from './operator-command.ts'

export type AdmitArguments = { readonly pos: Pos; readonly evenIfItPasses?: true }

/** Lets one output through that fails repartition's checks. */
export const admitRequest = ({ pos, evenIfItPasses }: AdmitArguments): OperatorRequest => ({
  isSame: async record => record.kind === 'Admit' && record.refusedPos === pos,
  plan: async (places, command, waiting) => {
    checkWaiting(waiting, record => record.kind === 'Admit' && record.refusedPos === pos)
    return planAdmit(places, command, { pos, mayPass: evenIfItPasses === true })
  },
})

const planAdmit = async (
  places: OperatorPlaces,
  command: Command,
  { pos, mayPass }: { readonly pos: Pos; readonly mayPass: boolean },
): Promise<Plan> => {
  const topic = places.names.topics.log
  const found = await lastAtPos(places.kafka, topic, pos)
  const output = outputOf(topic, found, pos)
  await checkNotPassed(places, output)
  const { seq } = output.record.at
  const refusal = checkOutput(output.record.output)
  if (!refusal && !mayPass)
    throw refuse(
      'admit-passes',
      `the output at pos ${pos} (seq ${seq}) passes every check that it can be put to by itself; what is left is whether ` +
        'its assets and symbols are in the reference data. If repartition has stopped at this very pos and says so, add --even-if-it-passes',
    )
  const why = refusal
    ? `${refusal.kind}: ${refusal.message}`
    : 'nothing that the output shows by itself; assets and symbols were not looked up in the reference data'
  const { output: engineOutput } = output.record
  return {
    record: { kind: 'Admit', command, refusedPos: pos },
    text: [
      `Output at pos ${pos}: offset ${output.offset}, seq ${seq} of session ${output.record.at.epoch}/${output.record.at.random}, ` +
        `${engineOutput.orders.length} order updates, ${engineOutput.trades.length} trades, ${engineOutput.changes.length} postings`,
      `What is wrong with it: ${why}`,
      postingsText(engineOutput),
      sumsText(engineOutput),
      'It is taken as it is, and what does not add up counts as external flow. Postings that do not follow a balance park that user.',
    ].join('\n'),
    facts: {
      offset: output.offset,
      seq,
      refusal: refusal && { kind: refusal.kind, message: refusal.message },
      postings: engineOutput.changes,
      sums: sumsOf(engineOutput),
    },
  }
}

type PlacedOutput = PlacedLogRecord & { readonly record: Extract<PlacedLogRecord['record'], { kind: 'Output' }> }

const outputOf = (topic: string, found: PlacedLogRecord | null, pos: Pos): PlacedOutput => {
  if (!found || found.record.pos !== pos) {
    const before = found ? `; the record before it is a ${found.record.kind} at pos ${found.record.pos}` : ''
    throw refuse(
      'admit-no-record',
      `no record of ${topic} has pos ${pos}${before}; take the pos from repartition's last log line`,
    )
  }
  const { record, offset } = found
  if (record.kind !== 'Output')
    throw refuse('admit-no-output', `the record at pos ${pos} is a ${record.kind}; only an Output can be admitted`)
  return { record, offset }
}

/** Repartition writes whole outputs in the log's order: once one at or behind this one stands, it has taken it. */
const checkNotPassed = async (
  { kafka, names, partitions }: OperatorPlaces,
  { offset, record: { pos } }: PlacedOutput,
): Promise<void> => {
  const topic = names.topics.users
  for (let partition = 0; partition < partitions; partition++) {
    const [last] = await kafka.readTail({ topic, partition, count: 1 })
    const src = last && decodeUserRecord(last.value).src
    if (src !== undefined && src >= offset)
      throw refuse(
        'admit-passed',
        `repartition has already passed pos ${pos}: ${topic}, partition ${partition} goes up to offset ${src} of the log, ` +
          `which is at or behind ${offset}; there is nothing to admit`,
      )
  }
}

const postingsText = ({ changes }: EngineOutput): string => {
  const head = ['user', 'asset', 'reason', 'ref', 'delta available', 'delta frozen', 'available', 'frozen', 'version']
  const rows = changes
    .slice(0, operateLimits.shownRows)
    .map(each => [
      each.user,
      each.asset,
      each.reason,
      each.ref,
      signedText(each.deltaAvailable),
      signedText(each.deltaFrozen),
      each.available,
      each.frozen,
      each.version,
    ])
  const more = changes.length - rows.length
  const table = tableText(
    head,
    rows,
    head.filter(name => name !== 'reason'),
  )
  return more === 0 ? table : `${table}\nand ${more} postings more; --json has all`
}

const sumsOf = ({ changes }: EngineOutput) => {
  const assets = [...new Set(changes.map(each => each.asset))].sort((a, b) => a - b)
  const sumIn = (asset: number, external: boolean): bigint =>
    flowOfChanges(changes.filter(each => each.asset === asset && isExternal(each.reason) === external))[0]?.amount ?? 0n
  return assets.map(asset => ({ asset, external: sumIn(asset, true), internal: sumIn(asset, false) }))
}

const sumsText = (output: EngineOutput): string =>
  tableText(
    ['asset', 'sum of deposits, withdrawals, corrections', 'sum of all others (must be 0)'],
    sumsOf(output).map(({ asset, external, internal }) => [asset, signedText(external), signedText(internal)]),
    ['asset', 'sum of deposits, withdrawals, corrections', 'sum of all others (must be 0)'],
  )
