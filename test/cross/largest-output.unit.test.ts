import { describe, expect, it } from 'vitest'
import { dialects } from '../../bridge/dialects/dialects.ts'
import type { EngineOutput, OrderUpdate } from '../../core/events.ts'
import { amount } from '../../core/ids.ts'
import { Stop } from '../../runtime/stop.ts'
import { decodeEngineOutput, encodeEngineOutput } from '../../schemas/codec.ts'
import { avroWire, jsonWire } from '../../sim/engine/protocol/wire.ts'
import { TestExchange } from '../../sim/engine/testing/test-exchange.ts'
import { journalOf, PaperEngine } from './paper-engine.ts'
import { wireBridge } from './wired-bridge.ts'

/**
 * One order takes so many resting ones, each another user's. The engine tells of the taker once per input; one
 * that tells after each trade is larger, so that is what is sent.
 */
const sweep = (makers: number): EngineOutput => {
  const exchange = new TestExchange()
  const [taker, price, quantity] = [1_000_000_000n, 9_000_001n, 1_000_030n]
  exchange.fund(taker, { cash: price * quantity * 2_000n })
  for (let i = 0n; i < makers; i++) {
    const user = taker + 1n + i
    exchange.fund(user, { coin: quantity })
    exchange.place({ user, side: 'Sell', quantity, price: price + (i % 100n) })
  }
  const output = exchange.place({ user: taker, side: 'Buy', quantity: quantity * BigInt(makers), price: price + 100n })
  const last = output.orders.at(-1) as OrderUpdate
  const afterEach = output.trades.map((trade, i): OrderUpdate => {
    const filled = trade.quantity * BigInt(i + 1)
    return { ...last, filled: amount(filled), remaining: amount(last.quantity - filled), state: 'PartiallyFilled' }
  })
  return { ...output, orders: [...output.orders.slice(0, -1), ...afterEach.slice(0, -1), last] }
}
const makers = 10_000
const largest = encodeEngineOutput(sweep(makers))
/** The same in JSON, which costs seconds at full size where an engine's encoder shares the processor with the bridge. */
const wide = encodeEngineOutput(sweep(1000))
const small = encodeEngineOutput({ ...sweep(1), orders: [], trades: [], changes: [] })
const defaultLimit = 4_194_304
const json = jsonWire('sent')

describe('the largest output, a sweep of 10,000 makers', () => {
  it('is as large as said, and in JSON within what the sockets let in', () => {
    const { orders, trades, changes } = decodeEngineOutput(largest)
    expect(trades.length).toBe(makers)
    expect(orders.length).toBeGreaterThanOrEqual(2 * makers)
    expect(changes.length).toBeGreaterThanOrEqual(6 * makers)
    expect(largest.length).toBeGreaterThan(2_000_000)
    const [frame] = journalOf([largest])
    const inJson = frame ? (json.encode(frame)[2]?.length ?? 0) : 0
    expect(inJson / largest.length).toBeLessThan(dialects.json.expansion)
    expect(inJson / largest.length).toBeGreaterThan(dialects.json.expansion / 2)
  })

  it.for([
    ['avro', 'live', defaultLimit, largest],
    ['avro', 'replayed', largest.length, largest],
    ['json', 'live', wide.length, wide],
    ['json', 'replayed', defaultLimit, wide],
  ] as const)('%s, %s: goes through with a limit of %d bytes', async ([dialect, way, maxOutputBytes, output]) => {
    const engine = await PaperEngine.open([small, output, small], { wire: dialect === 'avro' ? avroWire : json })
    const [first, ...others] = engine.journal.map(frame => engine.encode(frame))
    if (way === 'live') engine.onAnswer = message => (String(message[0]) === 'OUT' ? [] : [message])
    const bridge = wireBridge({ dialect, live: `sub:${engine.live}`, replay: engine.replay, maxOutputBytes })
    if (way === 'live') {
      await bridge.until(async () => {
        await engine.say(first ?? [])
        return engine.acked === 1n
      })
      for (const message of others) await engine.say(message)
    }
    await bridge.until(() => engine.acked === 3n)
    expect(bridge.payloads().map(({ length }) => length)).toEqual([small.length, output.length, small.length])
    expect(bridge.payloads()[1]?.equals(output)).toBe(true)
  })

  it.for([
    ['avro', largest],
    ['json', wide],
  ] as const)('%s: one byte over the limit stops, naming size, limit and setting', async ([dialect, output]) => {
    const engine = await PaperEngine.open([small, output, small], { wire: dialect === 'avro' ? avroWire : json })
    const maxOutputBytes = output.length - 1
    const bridge = wireBridge({ dialect, live: `sub:${engine.live}`, replay: engine.replay, maxOutputBytes })
    const stop = await bridge.ended
    expect(stop).toBeInstanceOf(Stop)
    expect(stop).toMatchObject({ code: 'oversized-output', reason: 'refused' })
    expect((stop as Stop).message).toContain(`${output.length} bytes`)
    expect((stop as Stop).message).toContain(`MAX_OUTPUT_BYTES=${maxOutputBytes}`)
    expect((stop as Stop).message).toContain('seq 2')
    expect(bridge.payloads().length).toBeLessThan(2)
  })

  it('a frame that no limit lets in stops too, naming the limit and the setting', async () => {
    const engine = await PaperEngine.open([small, largest])
    const maxOutputBytes = Math.floor(largest.length / 3)
    const bridge = wireBridge({ live: `sub:${engine.live}`, replay: engine.replay, maxOutputBytes })
    const stop = await bridge.ended
    expect(stop).toMatchObject({ code: 'oversized-frame', reason: 'refused' })
    expect((stop as Stop).message).toContain(`${2 * maxOutputBytes + 256} bytes`)
    expect((stop as Stop).message).toContain(`MAX_OUTPUT_BYTES=${maxOutputBytes}`)
    expect(await bridge.metric('settle_bridge_engine_cut_off_total', { socket: 'replay' })).toBe(1)
  })

  it('a live frame that no limit lets in is told, and what comes behind it still arrives', async () => {
    const engine = await PaperEngine.open([small, small])
    const bridge = wireBridge({ live: `sub:${engine.live}`, replay: engine.replay, maxOutputBytes: 1024 })
    await bridge.until(async () => (await bridge.metric('settle_bridge_engine_connected', { socket: 'live' })) === 1)
    await bridge.until(async () => {
      if ((await bridge.metric('settle_bridge_engine_cut_off_total', { socket: 'live' })) > 0) return true
      // Said until it is heard: a PUB drops what comes before its reader's subscription does.
      await engine.say([Buffer.from('OUT'), Buffer.alloc(56), Buffer.alloc(10_000)])
      return false
    })
    await bridge.until(async () => (await bridge.metric('settle_bridge_engine_connected', { socket: 'live' })) === 1)
    expect(bridge.logged).toContainEqual(expect.objectContaining({ level: 'error', socket: 'live', bytes: 2304 }))
    expect(bridge.outcome()).toBeUndefined()
  })
})
