import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { Context, Dealer, Push } from 'zeromq'
import { Stop } from '../../runtime/stop.ts'
import { decodeEngineFrame, encodeBridgeFrame } from '../../schemas/frames.ts'
import { avroWire, jsonWire } from '../../sim/engine/protocol/wire.ts'
import { drain, testProducer } from '../../sim/engine/testing/test-flow.ts'
import { isDone, startEngine } from '../../sim/engine/testing/running-engine.ts'
import { tempFolder } from '../../sim/engine/testing/temp-folder.ts'
import { PaperEngine } from './paper-engine.ts'
import { freePort, type WiredBridge, wireBridge } from './wired-bridge.ts'

/** mulberry32: the same mutations for the same seed. */
const randomOf = (seed: number): ((below: number) => number) => {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}
type Below = ReturnType<typeof randomOf>
const seedOf = (): number => Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000_000)

const kinds = ['OUT', 'HBT', 'EOS', 'END', 'TRIMMED', 'REPLAY', 'ACK', 'out', '', 'OUTOUTOUTOUTOUTOUT', '\0\0\0']
const noise = (below: Below, length: number): Buffer => Buffer.from(Array.from({ length }, () => below(256)))
const flipped = (frame: Buffer, below: Below): Buffer => {
  const copy = Buffer.from(frame)
  if (copy.length > 0) copy[below(copy.length)] = (copy[below(copy.length)] ?? 0) ^ (1 << below(8))
  return copy
}
const putU64 = (header: Buffer, at: number, value: bigint): Buffer => {
  const copy = Buffer.from(header)
  if (copy.length >= at + 8) copy.writeBigUInt64BE(value, at)
  return copy
}

/** One message bent in one way out of many; some ways leave it as it was. */
const mutated = (message: readonly Buffer[], below: Below): Buffer[] => {
  const [kind = Buffer.alloc(0), header = Buffer.alloc(0), payload = Buffer.alloc(0)] = message
  const ways: (() => Buffer[])[] = [
    () => [flipped(kind, below), header, payload],
    () => [kind, flipped(header, below), payload],
    () => [kind, header, flipped(payload, below)],
    () => [kind, header, payload.subarray(0, below(payload.length + 1))],
    () => [kind, header.subarray(0, below(header.length + 1)), payload],
    () => [kind, header, payload, noise(below, below(20))],
    () => [kind, header],
    () => [kind],
    () => [header, kind, payload],
    () => [kind, payload, header],
    () => [Buffer.from(kinds[below(kinds.length)] ?? ''), header, payload],
    () => [kind, putU64(header, 0, BigInt(below(5))), payload],
    () => [kind, putU64(header, 0, 2n ** 64n - 1n), payload],
    () => [kind, putU64(header, 8, BigInt(below(1000))), payload],
    () => [kind, putU64(header, 16, 0n), payload],
    () => [kind, putU64(header, 16, 2n ** 64n - 1n), payload],
    () => [kind, putU64(header, 16, BigInt(below(400))), payload],
    () => [kind, Buffer.concat([header.subarray(0, 24), noise(below, 32)]), payload],
    () => [kind, header, Buffer.concat([payload, noise(below, 1 + below(50))])],
    () => [kind, header, Buffer.from([0x02, 0x00, 0xfe, 0xff, 0xff, 0xff, 0x0f])],
    () => [kind, header, noise(below, 20_000)],
    () => Array.from({ length: 1 + below(5) }, () => noise(below, below(80))),
  ]
  return (ways[below(ways.length)] as () => Buffer[])()
}

const wires = { avro: avroWire, json: jsonWire('sent') } as const
const rounds = (count: number): (readonly [number, keyof typeof wires])[] =>
  Array.from({ length: count }, (_, i) => [i + 1, i % 2 === 0 ? 'avro' : 'json'])

const payloads = drain(testProducer({ orders: 200 })).map(({ payload }) => payload)

/** Every way in which bad input may stop the bridge: each a contract break that names itself. */
const stops = new Set([
  'broken-chain',
  'trimmed',
  'engine-lost-outputs',
  'session-order',
  'gap-without-replay',
  'oversized-output',
  'undecodable-output',
  'oversized-frame',
  'undecodable-frame',
  'clock-in-doubt',
])

const dropped = (bridge: WiredBridge): Promise<number> => bridge.metric('settle_bridge_dropped_total')

/** Runs on, or stopped for a reason of the list; and in either case nothing is in the log but the journal's beginning. */
const check = async (bridge: WiredBridge, engine: PaperEngine, seed: number): Promise<void> => {
  const outcome = bridge.outcome()
  const found = outcome === undefined ? 'running' : outcome instanceof Stop ? outcome.code : 'an error without a code'
  console.log(
    `seed ${seed}: ${found}, ${bridge.payloads().length} of ${payloads.length}, dropped ${await dropped(bridge)}`,
  )
  expect(found === 'running' || stops.has(found), `seed ${seed}: ended with ${found}`).toBe(true)
  const log = bridge.payloads()
  const journal = engine.journal.slice(0, log.length).map(({ payload }) => payload)
  expect(Buffer.concat([...log]).equals(Buffer.concat(journal)), `seed ${seed}: the log is not the journal`).toBe(true)
  expect(log.length).toBeLessThanOrEqual(engine.journal.length)
}

it.each(rounds(3))('round %d, %s: the live SUB: bent frames between good ones', async (round, dialect) => {
  const seed = seedOf() + round
  console.log(`FUZZ_SEED=${seed - round}`)
  const below = randomOf(seed)
  const engine = await PaperEngine.open(payloads, { wire: wires[dialect] })
  const bridge = wireBridge({ dialect, live: `sub:${engine.live}`, replay: engine.replay, maxOutputBytes: 10_000 })
  await bridge.until(async () => (await bridge.metric('settle_bridge_engine_connected', { socket: 'live' })) === 1)
  engine.published = 0
  for (const frame of engine.journal) {
    engine.published++
    const message = engine.encode(frame)
    const beat = engine.encode({ kind: below(5) > 0 ? 'HBT' : 'EOS', at: frame.at, clockUs: 0n })
    if (below(3) > 0) await engine.say(mutated(below(3) > 0 ? message : beat, below))
    if (below(4) > 0) await engine.say(message)
    // The engine goes on while the bridge reads: the next bent frame may be the one whose turn it is.
    if (below(10) === 0) await nextTurn()
  }
  await bridge.until(() => engine.acked === BigInt(payloads.length)).catch(() => {})
  await check(bridge, engine, seed)
  if (bridge.outcome() === undefined)
    expect(await dropped(bridge), `seed ${seed}: nothing was counted`).toBeGreaterThan(0)
})

it.each(rounds(3))('round %d, %s: the live PULL: a stranger pushes', async (round, dialect) => {
  const seed = seedOf() + round
  console.log(`FUZZ_SEED=${seed - round}`)
  const below = randomOf(seed)
  const address = `tcp://127.0.0.1:${await freePort()}`
  const engine = await PaperEngine.open(payloads, { wire: wires[dialect], pushTo: address })
  const bridge = wireBridge({ dialect, live: `pull:${address}`, replay: engine.replay, maxOutputBytes: 10_000 })
  const stranger = new Push({ context: new Context(), linger: 0 })
  onTestFinished(() => stranger.close())
  stranger.connect(address)
  engine.published = 0
  for (const frame of engine.journal) {
    engine.published++
    await engine.say(engine.encode(frame))
    await stranger.send(mutated(engine.encode(frame), below))
    if (below(10) === 0) await nextTurn()
  }
  await stranger.send([Buffer.from('OUT'), Buffer.alloc(56), Buffer.alloc(1_000_000)])
  const isOver = async (): Promise<boolean> => engine.acked === BigInt(payloads.length) && (await dropped(bridge)) > 20
  await bridge.until(isOver).catch(() => {})
  await check(bridge, engine, seed)
})

it.each(rounds(4))(
  'round %d, %s: the replay socket: a message of an answer is bent now and then',
  async (round, dialect) => {
    const seed = seedOf() + round
    console.log(`FUZZ_SEED=${seed - round}`)
    const below = randomOf(seed)
    const engine = await PaperEngine.open(payloads, { wire: wires[dialect] })
    engine.onAnswer = message =>
      below(300) > 0 ? [message] : below(2) > 0 ? [mutated(message, below), message] : [mutated(message, below)]
    const bridge = wireBridge({ dialect, live: `sub:${engine.live}`, replay: engine.replay, maxOutputBytes: 10_000 })
    await bridge.until(() => engine.acked === BigInt(payloads.length)).catch(() => {})
    await check(bridge, engine, seed)
    if (bridge.outcome() === undefined) expect(bridge.payloads().length, `seed ${seed}`).toBe(payloads.length)
  },
)

it.each(['pub', 'push'] as const)('the engine’s ROUTER, live over %s: bent requests among good ones', async mode => {
  const seed = seedOf()
  console.log(`FUZZ_SEED=${seed}`)
  const below = randomOf(seed)
  const address = `tcp://127.0.0.1:${await freePort()}`
  const engine = await startEngine(tempFolder(), {
    ENGINE_LIVE_MODE: mode,
    ...(mode === 'push' ? { ENGINE_LIVE_ADDRESS: address } : {}),
  })
  await isDone(engine)
  const dealer = new Dealer({ context: new Context(), linger: 0, receiveTimeout: 20_000, sendHighWaterMark: 10_000 })
  onTestFinished(() => dealer.close())
  dealer.connect(engine.replay)
  const session = { epoch: 1n, random: 1n }
  const good = [
    encodeBridgeFrame({ kind: 'REPLAY', session: null, from: 1n, to: 3n }),
    encodeBridgeFrame({ kind: 'REPLAY', session, from: 2n, to: 9n }),
    encodeBridgeFrame({ kind: 'ACK', stream: 'main', session, seq: 5n }),
    encodeBridgeFrame({ kind: 'ACK', stream: 'other', session, seq: 2n ** 64n - 1n }),
  ]
  for (let i = 0; i < 500; i++) await dealer.send(mutated(good[below(good.length)] ?? [], below))
  // It still answers: a request that nothing before asked for, up to its own END.
  const last = new Dealer({ context: new Context(), linger: 0, receiveTimeout: 20_000 })
  onTestFinished(() => last.close())
  last.connect(engine.replay)
  await last.send(encodeBridgeFrame({ kind: 'REPLAY', session: null, from: 1n, to: 2n }))
  const answer = [await last.receive(), await last.receive(), await last.receive()]
  expect(
    answer.map(frames => decodeEngineFrame(frames).kind),
    `seed ${seed}`,
  ).toEqual(['OUT', 'OUT', 'END'])
})
