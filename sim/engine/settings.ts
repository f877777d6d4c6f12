import { join } from 'node:path'
import { z } from 'zod'
import { allMarkets, defaultMarketNames, type Market } from './flow/markets.ts'
import type { ChangeName } from './matching-engine.ts'
import { isAddress, isLocalAddress } from './protocol/address.ts'
import { isCurveKey } from './protocol/z85.ts'

/** What the engine is told from outside; the page `docs/engine-simulator.md` lists the variables. */
export type EngineSettings = {
  readonly folder: string
  readonly dumpFile: string
  readonly stream: string
  readonly seed: bigint
  readonly users: number
  /** null: as many as the flow file holds. */
  readonly orders: number | null
  readonly markets: readonly Market[]
  readonly flow: { readonly file: string; readonly symbol: string | null } | null
  readonly house: bigint
  readonly makerBp: bigint
  readonly takerBp: bigint
  /** The engine's clock at its first output, µs; null: the wall clock at the very first start. */
  readonly startUs: bigint | null
  readonly meanStepUs: number
  readonly liveMode: 'pub' | 'push'
  readonly liveAddress: string
  readonly liveHighWaterMark: number
  readonly liveStallMs: number
  /** null: this engine keeps its journal to itself. */
  readonly replayAddress: string | null
  readonly dialect: 'avro' | 'json'
  /** Whether the JSON dialect tells the chain. */
  readonly chain: 'sent' | 'unsent'
  /** Share of live frames that are lost on purpose, in percent. */
  readonly liveLoss: number
  /** Changes that the engine makes in its books and tells nobody. */
  readonly unsaid: readonly ChangeName[]
  readonly heartbeatMs: number
  readonly curve: { readonly secretKey: string; readonly clientKeys: readonly string[] } | null
  readonly ackMargin: bigint
  /** 0: never wait for an ACK. */
  readonly maxUnacked: number
  /** Outputs a second; 0: as many as the machine makes. */
  readonly rate: number
  readonly sync: 'group' | 'none'
  /** Whether each ACK that counts is told on stdout. */
  readonly ackReports: 'off' | 'on'
  readonly segmentBytes: number
  readonly logLevel: string
}

/** Every problem of the settings at once. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`settings:\n${problems.map(problem => `  ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

type Range = { readonly min: number; readonly max: number }
const optionalInteger = ({ min, max }: Range) =>
  z
    .string()
    .refine(text => /^\d+$/.test(text) && Number(text) >= min && Number(text) <= max, {
      error: ({ input }) => `${JSON.stringify(input)} is not an integer from ${min} to ${max}`,
    })
    .transform(Number)
    .optional()
const integer = (range: Range, fallback: number) => optionalInteger(range).transform(value => value ?? fallback)

const u64 = (fallback: bigint) =>
  z
    .string()
    .default(`${fallback}`)
    .refine(text => /^\d{1,20}$/.test(text) && BigInt(text) < 2n ** 63n, {
      error: ({ input }) => `${JSON.stringify(input)} is not an integer from 0 to 2^63 - 1`,
    })
    .transform(BigInt)

const oneOf = <const T extends string>(...names: readonly [T, ...T[]]) =>
  z
    .enum(names, { error: ({ input }) => `${JSON.stringify(input)} is not one of ${names.join(', ')}` })
    .default(names[0] as never)

const address = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .refine(isAddress, {
      error: ({ input }) => `${JSON.stringify(input)} is not an address such as tcp://127.0.0.1:5555`,
    })

const addressOrNone = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .refine(text => text === 'none' || isAddress(text), {
      error: ({ input }) => `${JSON.stringify(input)} is neither none nor an address such as tcp://127.0.0.1:5555`,
    })

const curveKey = z.string().refine(isCurveKey, { error: 'not a CURVE key of 40 Z85 characters' })
const list = (text: string): string[] => text.split(/[\s,]+/).filter(part => part !== '')

const time = z.string().transform((text, context) => {
  if (/^\d{1,18}$/.test(text)) return BigInt(text)
  const ms = Date.parse(text)
  if (Number.isFinite(ms)) return BigInt(ms) * 1_000n
  context.addIssue(`${JSON.stringify(text)} is neither an ISO time nor microseconds since 1970`)
  return z.NEVER
})

const changeNames = z
  .string()
  .default('')
  .transform((text, context) =>
    list(text).map((name): ChangeName => {
      const [, user, asset, version] = /^(\d{1,18})\/(\d{1,9})\/(\d{1,18})$/.exec(name) ?? []
      if (user === undefined || asset === undefined || version === undefined) {
        context.addIssue(`${JSON.stringify(name)} is not <user>/<asset>/<version>, each a number`)
        return z.NEVER
      }
      return { user: BigInt(user), asset: Number(asset), version: BigInt(version) }
    }),
  )

const marketNames = z
  .string()
  .default(defaultMarketNames.join(','))
  .transform((text, context) => {
    const names = list(text)
    const known = allMarkets.map(market => market.traded.name)
    const unknown = names.filter(name => !known.includes(name))
    if (unknown.length > 0) context.addIssue(`${unknown.join(', ')}: not among ${known.join(', ')}`)
    if (names.length === 0) context.addIssue('names no symbol')
    return allMarkets.filter(market => names.includes(market.traded.name))
  })

const variables = z.object({
  ENGINE_DATA_DIR: z.string({ error: 'is not set: the folder of the journal' }).min(1),
  ENGINE_DUMP_FILE: z.string().optional(),
  ENGINE_STREAM: z
    .string()
    .default('main')
    .refine(text => /^[a-z][a-z0-9_]{0,31}$/.test(text), {
      error: ({ input }) => `${JSON.stringify(input)} is not a name of up to 32 of a-z, 0-9 and _, a letter first`,
    }),
  ENGINE_SEED: u64(1n),
  ENGINE_USERS: integer({ min: 2, max: 10_000_000 }, 500),
  ENGINE_ORDERS: optionalInteger({ min: 0, max: 1_000_000_000 }),
  ENGINE_SYMBOLS: marketNames,
  ENGINE_FLOW_FILE: z.string().optional(),
  ENGINE_FLOW_SYMBOL: z
    .string()
    .refine(text => /^[A-Z][A-Z0-9.]{0,15}$/.test(text), { error: 'not a name of up to 16 of A-Z, 0-9 and .' })
    .optional(),
  ENGINE_HOUSE: u64(1_000_000_000n),
  ENGINE_MAKER_FEE_BP: integer({ min: 0, max: 1_000 }, 10),
  ENGINE_TAKER_FEE_BP: integer({ min: 0, max: 1_000 }, 20),
  ENGINE_START_TIME: time.optional(),
  ENGINE_MEAN_STEP_US: integer({ min: 1, max: 1_000_000_000 }, 20_000),
  ENGINE_LIVE_MODE: oneOf('pub', 'push'),
  ENGINE_LIVE_ADDRESS: address('tcp://127.0.0.1:5555'),
  ENGINE_LIVE_HIGH_WATER_MARK: integer({ min: 1, max: 10_000_000 }, 20_000),
  ENGINE_LIVE_STALL_MS: integer({ min: 1, max: 10_000 }, 200),
  ENGINE_REPLAY_ADDRESS: addressOrNone('tcp://127.0.0.1:5556'),
  ENGINE_DIALECT: oneOf('avro', 'json'),
  ENGINE_CHAIN: oneOf('sent', 'unsent'),
  ENGINE_LIVE_LOSS: integer({ min: 0, max: 90 }, 0),
  ENGINE_SKIP_CHANGES: changeNames,
  ENGINE_HEARTBEAT_MS: integer({ min: 10, max: 1_000 }, 500),
  ENGINE_CURVE_SECRET_KEY: curveKey.optional(),
  ENGINE_CURVE_CLIENT_KEYS: z.string().default('').transform(list).pipe(z.array(curveKey)),
  ENGINE_UNENCRYPTED: oneOf('loopback-only', 'anywhere'),
  ENGINE_ACK_MARGIN: integer({ min: 0, max: 1_000_000_000 }, 100_000),
  ENGINE_MAX_UNACKED: integer({ min: 0, max: 1_000_000_000 }, 20_000),
  ENGINE_RATE: integer({ min: 0, max: 10_000_000 }, 0),
  ENGINE_SYNC: oneOf('group', 'none'),
  ENGINE_ACK_REPORTS: oneOf('off', 'on'),
  ENGINE_SEGMENT_BYTES: integer({ min: 4_096, max: 256 * 1024 * 1024 }, 16 * 1024 * 1024),
  ENGINE_LOG_LEVEL: oneOf('info', 'debug', 'warn', 'error', 'silent'),
})
type Variables = z.output<typeof variables>

/** What the bridge calls the engine's addresses and keys: in one environment for both these are no misspellings. */
const ofTheBridge = new Set(
  ['LIVE', 'REPLAY', 'SERVER_KEY', 'PUBLIC_KEY', 'SECRET_KEY', 'PLAIN'].map(name => `ENGINE_${name}`),
)

/**
 * The settings from ENGINE_… variables; an empty variable counts as unset.
 * @throws SettingsError with all problems together, a misspelt ENGINE_… name among them.
 */
export const readSettings = (environment: NodeJS.ProcessEnv): EngineSettings => {
  const given = Object.entries(environment).filter(([name, value]) => name.startsWith('ENGINE_') && value !== '')
  const unknown = given.map(([name]) => name).filter(name => !(name in variables.shape) && !ofTheBridge.has(name))
  const parsed = variables.safeParse(Object.fromEntries(given))
  const problems = [
    ...unknown.map(name => `${name}: no such setting`),
    ...(parsed.error?.issues ?? []).map(issue => `${issue.path.join('.')}: ${issue.message}`),
    ...(parsed.data ? relations(parsed.data) : []),
  ]
  if (problems.length > 0 || !parsed.data) throw new SettingsError(problems)
  return fromVariables(parsed.data)
}

/** What no single variable can tell. */
const relations = (given: Variables): string[] => {
  const problems: string[] = []
  if (given.ENGINE_HOUSE <= BigInt(given.ENGINE_USERS))
    problems.push(`ENGINE_HOUSE: ${given.ENGINE_HOUSE} is one of the ${given.ENGINE_USERS} users; choose a higher one`)
  const isSecret = given.ENGINE_CURVE_SECRET_KEY !== undefined
  if (isSecret && given.ENGINE_CURVE_CLIENT_KEYS.length === 0)
    problems.push('ENGINE_CURVE_CLIENT_KEYS: names nobody, so with ENGINE_CURVE_SECRET_KEY nobody could connect')
  if (!isSecret && given.ENGINE_CURVE_CLIENT_KEYS.length > 0)
    problems.push('ENGINE_CURVE_SECRET_KEY: is not set, so ENGINE_CURVE_CLIENT_KEYS would protect nothing')
  if (!isSecret && given.ENGINE_UNENCRYPTED === 'loopback-only')
    for (const name of ['ENGINE_LIVE_ADDRESS', 'ENGINE_REPLAY_ADDRESS'] as const)
      if (given[name] !== 'none' && !isLocalAddress(given[name]))
        problems.push(
          `${name}: ${given[name]} is not loopback; set ENGINE_CURVE_SECRET_KEY, or ENGINE_UNENCRYPTED=anywhere`,
        )
  if (given.ENGINE_REPLAY_ADDRESS === 'none' && given.ENGINE_MAX_UNACKED > 0)
    problems.push('ENGINE_MAX_UNACKED: without a replay socket no ACK can come and the engine would wait; set it to 0')
  if (given.ENGINE_CHAIN === 'unsent' && given.ENGINE_DIALECT !== 'json')
    problems.push('ENGINE_CHAIN: only ENGINE_DIALECT=json can leave the chain out')
  return problems
}

const fromVariables = (given: Variables): EngineSettings => ({
  folder: given.ENGINE_DATA_DIR,
  dumpFile: given.ENGINE_DUMP_FILE ?? join(given.ENGINE_DATA_DIR, 'dump.json'),
  stream: given.ENGINE_STREAM,
  seed: given.ENGINE_SEED,
  users: given.ENGINE_USERS,
  orders: given.ENGINE_ORDERS ?? (given.ENGINE_FLOW_FILE === undefined ? 20_000 : null),
  markets: given.ENGINE_SYMBOLS,
  flow:
    given.ENGINE_FLOW_FILE === undefined
      ? null
      : { file: given.ENGINE_FLOW_FILE, symbol: given.ENGINE_FLOW_SYMBOL ?? null },
  house: given.ENGINE_HOUSE,
  makerBp: BigInt(given.ENGINE_MAKER_FEE_BP),
  takerBp: BigInt(given.ENGINE_TAKER_FEE_BP),
  startUs: given.ENGINE_START_TIME ?? null,
  meanStepUs: given.ENGINE_MEAN_STEP_US,
  liveMode: given.ENGINE_LIVE_MODE,
  liveAddress: given.ENGINE_LIVE_ADDRESS,
  liveHighWaterMark: given.ENGINE_LIVE_HIGH_WATER_MARK,
  liveStallMs: given.ENGINE_LIVE_STALL_MS,
  replayAddress: given.ENGINE_REPLAY_ADDRESS === 'none' ? null : given.ENGINE_REPLAY_ADDRESS,
  dialect: given.ENGINE_DIALECT,
  chain: given.ENGINE_CHAIN,
  liveLoss: given.ENGINE_LIVE_LOSS,
  unsaid: given.ENGINE_SKIP_CHANGES,
  heartbeatMs: given.ENGINE_HEARTBEAT_MS,
  curve:
    given.ENGINE_CURVE_SECRET_KEY === undefined
      ? null
      : { secretKey: given.ENGINE_CURVE_SECRET_KEY, clientKeys: given.ENGINE_CURVE_CLIENT_KEYS },
  ackMargin: BigInt(given.ENGINE_ACK_MARGIN),
  maxUnacked: given.ENGINE_MAX_UNACKED,
  rate: given.ENGINE_RATE,
  sync: given.ENGINE_SYNC,
  ackReports: given.ENGINE_ACK_REPORTS,
  segmentBytes: given.ENGINE_SEGMENT_BYTES,
  logLevel: given.ENGINE_LOG_LEVEL,
})
