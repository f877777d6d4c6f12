import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { curveKeyPair } from 'zeromq'
import type { Session } from '../../core/events.ts'
import { nextChain, zeroChain } from '../../schemas/chain.ts'
import { decodeEngineOutput } from '../../schemas/codec.ts'
import type { EngineFrame } from '../../schemas/frames.ts'
import type { EngineDump } from './dump.ts'
import { type CurveClient, LiveClient, ReplayClient, type ReplayClientOptions } from './testing/bridge-client.ts'
import { isDone, type RunningEngine, startEngine, until } from './testing/running-engine.ts'
import { tempFolder } from './testing/temp-folder.ts'
import { drain, testProducer } from './testing/test-flow.ts'

type Out = Extract<EngineFrame, { kind: 'OUT' }>

const replayClient = (engine: RunningEngine, options?: ReplayClientOptions): ReplayClient => {
  const client = new ReplayClient(engine.replay, options)
  onTestFinished(() => client.close())
  return client
}
const subscriber = (engine: RunningEngine, curve?: CurveClient): LiveClient => {
  const client = LiveClient.subscribe(engine.live, curve)
  onTestFinished(() => client.close())
  return client
}
const puller = async (curve?: CurveClient): Promise<{ readonly client: LiveClient; readonly address: string }> => {
  const address = `tcp://127.0.0.1:${await freePort()}`
  const client = await LiveClient.pull(address, curve)
  onTestFinished(() => client.close())
  return { client, address }
}
const freePort = async (): Promise<number> => {
  const { createServer } = await import('node:net')
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** Outputs as a bridge checks them: seqs of their session from 1, the chain over all sessions. */
const expectChained = (outputs: readonly Out[]): void => {
  let chain = zeroChain
  let before: Out | undefined
  for (const output of outputs) {
    chain = nextChain(chain, output.payload)
    expect(output.at.chain).toEqual(chain)
    expect(output.at.seq).toBe(before?.at.epoch === output.at.epoch ? before.at.seq + 1n : 1n)
    before = output
  }
}

const inShort = (outputs: readonly Out[]): readonly string[] =>
  outputs.map(({ at, payload }) => `${at.epoch} ${at.seq} ${at.chain.toString('hex')} ${payload.toString('hex')}`)

const sessionOf = ({ reports }: RunningEngine): Session => {
  const ready = reports.find(report => report.kind === 'ready')
  if (!ready) throw new Error('the engine is not ready')
  return { epoch: BigInt(ready.session.epoch), random: BigInt(ready.session.random) }
}

const dumpIn = (folder: string): EngineDump => JSON.parse(readFileSync(join(folder, 'dump.json'), 'utf8')) as EngineDump

describe('replay', () => {
  it('answers everything from the beginning, then END of the session at hand', async () => {
    const engine = await startEngine(tempFolder())
    await isDone(engine)
    const { outputs, end } = await replayClient(engine).ask(null, 1n)
    expectChained(outputs)
    expect(decodeEngineOutput(outputs[0]?.payload ?? zeroChain).reference).not.toBeNull()
    expect(end).toEqual({ kind: 'END', at: outputs.at(-1)?.at, over: false, next: null })
  })

  it('answers a range, both ends included, and END of what was sent so far', async () => {
    const engine = await startEngine(tempFolder())
    await isDone(engine)
    const client = replayClient(engine)
    const all = await client.ask(null, 0n)
    const { outputs, end } = await client.ask(sessionOf(engine), 5n, 9n)
    expect(outputs.map(({ at }) => at.seq)).toEqual([5n, 6n, 7n, 8n, 9n])
    expect(inShort(outputs)).toEqual(inShort(all.outputs.slice(4, 9)))
    expect(end.at).toEqual(all.outputs.at(-1)?.at)
    expect((await client.ask(sessionOf(engine), 10_000n)).outputs).toEqual([])
  })

  it('leads from session to session, over an empty one, along one chain', async () => {
    const folder = tempFolder()
    const first = await startEngine(folder, { ENGINE_ORDERS: '100' })
    await isDone(first)
    await first.stop()
    const empty = await startEngine(folder, { ENGINE_ORDERS: '100' })
    await isDone(empty)
    await empty.stop()
    const third = await startEngine(folder, { ENGINE_ORDERS: '200' })
    await isDone(third)

    const client = replayClient(third)
    const one = await client.ask(null, 1n)
    expect(one.end).toMatchObject({ kind: 'END', over: true, next: sessionOf(empty), at: one.outputs.at(-1)?.at })
    const two = await client.ask(sessionOf(empty), 1n)
    const start = { ...sessionOf(empty), seq: 0n, chain: one.end.at.chain }
    expect(two).toEqual({ outputs: [], end: { kind: 'END', at: start, over: true, next: sessionOf(third) } })
    const three = await client.ask(sessionOf(third), 1n)
    expectChained([...one.outputs, ...three.outputs])
    expect(dumpIn(folder).sessions.map(({ epoch }) => epoch)).toEqual(['1', '2', '3'])
    // What was published does not depend on how often the engine was stopped.
    const uninterrupted = await startEngine(tempFolder(), { ENGINE_ORDERS: '200' })
    await isDone(uninterrupted)
    const once = await replayClient(uninterrupted).ask(null, 1n)
    expect(once.end.at.chain).toEqual(three.end.at.chain)
  })

  it('says TRIMMED with where to go on, for what is gone and for a session that it never knew', async () => {
    const folder = tempFolder()
    const engine = await startEngine(folder, { ENGINE_SEGMENT_BYTES: '8192', ENGINE_ACK_MARGIN: '10' })
    await isDone(engine)
    const client = replayClient(engine)
    const before = await client.ask(null, 1n)
    await client.send({ kind: 'ACK', stream: 'main', session: sessionOf(engine), seq: 150n })
    let trimmed = await client.ask(null, 1n)
    await until(async () => {
      trimmed = await client.ask(null, 1n)
      return trimmed.outputs.length === 0
    })
    const { at } = trimmed.end
    expect(trimmed.end.kind).toBe('TRIMMED')
    expect(at.seq > 0n && at.seq <= 140n).toBe(true)
    expect(before.outputs[Number(at.seq) - 1]?.at).toEqual(at)
    expect((await client.ask(sessionOf(engine), at.seq)).end.kind).toBe('TRIMMED')
    const rest = await client.ask(sessionOf(engine), at.seq + 1n)
    expect(inShort(rest.outputs)).toEqual(inShort(before.outputs.slice(Number(at.seq))))
    expect(inShort((await client.ask(null, 0n)).outputs)).toEqual(inShort(rest.outputs))
    expect((await client.ask({ epoch: 1n, random: 1n }, 1n)).end).toEqual({ kind: 'TRIMMED', at })

    await engine.stop()
    const second = await startEngine(folder, { ENGINE_SEGMENT_BYTES: '8192' })
    expect((await replayClient(second).ask(null, 1n)).end).toEqual({ kind: 'TRIMMED', at })
  })

  it('serves several clients at once, one that reads nothing among them, and goes on publishing', async () => {
    const folder = tempFolder()
    const engine = await startEngine(folder, { ENGINE_ORDERS: '8000', ENGINE_RATE: '4000', ENGINE_SYNC: 'none' })
    await until(() => engine.reports.some(report => report.kind === 'progress' && report.outputs > 3_000))
    const deaf = replayClient(engine, { receiveHighWaterMark: 1 })
    await deaf.send({ kind: 'REPLAY', session: null, from: 1n, to: 0n })
    const clients = [replayClient(engine), replayClient(engine), replayClient(engine)]
    const answers = await Promise.all(clients.map(client => client.ask(null, 1n)))
    for (const { outputs } of answers) {
      expect(outputs.length).toBeGreaterThan(3_000)
      expectChained(outputs)
    }
    await isDone(engine)
    expectChained((await deaf.answer()).outputs)
  })

  it('answers the requests of one client one after the other, and bounds them', async () => {
    const engine = await startEngine(tempFolder())
    await isDone(engine)
    const client = replayClient(engine)
    for (let from = 1n; from <= 30n; from++)
      await client.send({ kind: 'REPLAY', session: sessionOf(engine), from, to: from })
    const firsts: bigint[] = []
    for (let i = 0; i < 8; i++) firsts.push((await client.answer()).outputs[0]?.at.seq ?? 0n)
    expect(firsts).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n])
  })

  it('ignores what it does not understand', async () => {
    const engine = await startEngine(tempFolder())
    await isDone(engine)
    const client = replayClient(engine)
    await client.sendRaw('nonsense')
    await client.sendRaw('REPLAY', 'short', '')
    expect((await client.ask(null, 1n, 1n)).outputs).toHaveLength(1)
  })
})

describe('live', () => {
  it('publishes every output, heartbeats, and EOS at the end, over PUB', async () => {
    const engine = await startEngine(tempFolder(), { ENGINE_RATE: '2000' })
    const live = subscriber(engine)
    await isDone(engine)
    const { outputs } = await replayClient(engine).ask(null, 1n)
    const last = outputs.at(-1)?.at
    await until(() => live.of('HBT').some(({ at }) => at.seq === last?.seq))
    expect(live.of('HBT').at(-1)).toEqual({ kind: 'HBT', at: last, clockUs: 123_456_789n })
    await engine.stop()
    await until(() => live.of('EOS').length > 0)
    expect(live.frames.at(-1)).toEqual({ kind: 'EOS', at: last })
    const seen = live.of('OUT')
    expect(inShort(seen)).toEqual(inShort(outputs.slice(-seen.length)))
    expect(seen.length).toBeGreaterThan(0)
  })

  it('beats with seq 0 and the chain before while a session has no output yet', async () => {
    const folder = tempFolder()
    const first = await startEngine(folder)
    await isDone(first)
    await first.stop()
    const second = await startEngine(folder)
    const live = subscriber(second)
    await until(() => live.of('HBT').length > 0)
    const chain = Buffer.from(dumpIn(folder).chain, 'hex')
    expect(live.of('HBT')[0]?.at).toEqual({ ...sessionOf(second), seq: 0n, chain })
  })

  it('pushes to whoever binds PULL, and loses rather than waits while nobody does', async () => {
    const { client, address } = await puller()
    const engine = await startEngine(tempFolder(), { ENGINE_LIVE_MODE: 'push', ENGINE_LIVE_ADDRESS: address })
    await isDone(engine)
    await until(() => client.of('HBT').length > 0)
    await engine.stop()
    await until(() => client.of('EOS').length > 0)
    expect(client.of('OUT').length).toBeGreaterThan(0)

    const nobody = `tcp://127.0.0.1:${await freePort()}`
    const alone = await startEngine(tempFolder(), { ENGINE_LIVE_MODE: 'push', ENGINE_LIVE_ADDRESS: nobody })
    await isDone(alone)
  })
})

describe('acknowledgements', () => {
  it('hold the engine back when too few come, and let it go on when they do', async () => {
    const engine = await startEngine(tempFolder(), { ENGINE_MAX_UNACKED: '50' })
    const client = replayClient(engine)
    const sent = async (): Promise<bigint> => (await client.ask(null, 1n)).end.at.seq
    await until(async () => (await sent()) >= 50n)
    expect(await sent()).toBe(50n)
    const ack = (stream: string, seq: bigint): Promise<void> =>
      client.send({ kind: 'ACK', stream, session: sessionOf(engine), seq })
    await ack('other', 50n)
    await ack('main', 51n)
    await client.send({ kind: 'ACK', stream: 'main', session: { epoch: 9n, random: 9n }, seq: 50n })
    expect(await sent()).toBe(50n)
    for (const reason of ['other-stream', 'beyond-sent', 'unknown-session'])
      expect(engine.logged.some(line => line.includes(reason))).toBe(true)
    await ack('main', 20n)
    await until(async () => (await sent()) >= 70n)
    expect(await sent()).toBe(70n)
  })

  it('are not waited for from an earlier session', async () => {
    const folder = tempFolder()
    const first = await startEngine(folder, { ENGINE_ORDERS: '100' })
    await isDone(first)
    await first.stop()
    await isDone(await startEngine(folder, { ENGINE_ORDERS: '110', ENGINE_MAX_UNACKED: '50' }))
  })
})

describe('CURVE', () => {
  const server = curveKeyPair()
  const friend = curveKeyPair()
  const stranger = curveKeyPair()
  const asClient = (pair: typeof friend): CurveClient => ({ ...pair, serverKey: server.publicKey })
  const keys = { ENGINE_CURVE_SECRET_KEY: server.secretKey, ENGINE_CURVE_CLIENT_KEYS: friend.publicKey }

  it('lets in those on the list and nobody else', async () => {
    const engine = await startEngine(tempFolder(), keys)
    await isDone(engine)
    const live = subscriber(engine, asClient(friend))
    expect((await replayClient(engine, { curve: asClient(friend) }).ask(null, 1n, 3n)).outputs).toHaveLength(3)
    await until(() => live.of('HBT').length > 0)
    const foreign = subscriber(engine, asClient(stranger))
    const unencrypted = subscriber(engine)
    for (const options of [{ curve: asClient(stranger) }, {}])
      await expect(replayClient(engine, { ...options, timeoutMs: 300 }).ask(null, 1n)).rejects.toThrow()
    expect([...foreign.frames, ...unencrypted.frames]).toEqual([])
    await until(() => engine.logged.some(line => line.includes(stranger.publicKey)))
  })

  it('protects PUSH too, though there the engine connects', async () => {
    const { client, address } = await puller(asClient(friend))
    const push = { ENGINE_LIVE_MODE: 'push', ENGINE_LIVE_ADDRESS: address }
    await startEngine(tempFolder(), { ...keys, ...push })
    await until(() => client.of('HBT').length > 0)
  })
})

describe('a finished flow', () => {
  it('leaves a dump that agrees with what was published, all integers as strings', async () => {
    const folder = tempFolder()
    const engine = await startEngine(folder, { ENGINE_ORDERS: '300' })
    await isDone(engine)
    const dump = dumpIn(folder)
    const { outputs } = await replayClient(engine).ask(null, 1n)
    const cells = new Map<string, object>()
    for (const { payload } of outputs)
      for (const { user, asset, available, frozen, version } of decodeEngineOutput(payload).changes)
        cells.set(`${user}/${asset}`, {
          ...{ user: `${user}`, asset: `${asset}`, version: `${version}` },
          ...{ available: `${available}`, frozen: `${frozen}` },
        })
    expect(dump.balances).toHaveLength(cells.size)
    expect(new Set(dump.balances)).toEqual(new Set(cells.values()))
    expect(dump.chain).toBe(outputs.at(-1)?.at.chain.toString('hex'))
    expect(dump.outputs).toBe(`${outputs.length}`)
    const open = BigInt(dump.orderStates['New'] ?? 0) + BigInt(dump.orderStates['PartiallyFilled'] ?? 0)
    expect(dump.openOrders).toHaveLength(Number(open))
    const submitted = Object.values(dump.orderStates).reduce((sum, count) => sum + BigInt(count), 0n)
    expect(submitted).toBe(300n)
    await engine.stop()
    expect(dumpIn(folder)).toEqual(dump)
  })

  it('is the same whoever runs it', async () => {
    const folder = tempFolder()
    const engine = await startEngine(folder, { ENGINE_USERS: '12', ENGINE_ORDERS: '300' })
    await isDone(engine)
    expect(dumpIn(folder).chain).toBe(drain(testProducer()).at(-1)?.chain.toString('hex'))
  })
})

describe('a machine that stalls', () => {
  it('does not end the flow, though each slice of time is over before it began', async () => {
    let nowMs = performance.now()
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += 1000))
    onTestFinished(() => clock.mockRestore())
    const engine = await startEngine(tempFolder(), { ENGINE_ORDERS: '20' })
    await isDone(engine)
    expect(engine.reports.findLast(({ kind }) => kind === 'progress')).toMatchObject({ orders: 20 })
  })
})

describe('for whoever tries the pipeline', () => {
  it('loses live frames when told to, and replays them', async () => {
    const engine = await startEngine(tempFolder(), {
      ENGINE_ORDERS: '3000',
      ENGINE_LIVE_LOSS: '50',
      ENGINE_RATE: '5000',
    })
    const client = subscriber(engine)
    await isDone(engine)
    await until(() => client.of('OUT').length > 0)
    const { outputs } = await replayClient(engine).ask(null, 1n)
    // PUB loses what came before the subscription, too: of what followed about half is missing.
    const [first] = client.of('OUT')
    const sent = outputs.length - Number(first?.at.seq ?? 0n) + 1
    expect(client.of('OUT').length / sent).toBeLessThan(0.8)
    expectChained(outputs)
  })

  it('tells each ACK of its stream, the repeated ones too', async () => {
    const engine = await startEngine(tempFolder(), { ENGINE_ACK_REPORTS: 'on' })
    await isDone(engine)
    const client = replayClient(engine)
    for (const [stream, seq] of [
      ['main', 5n],
      ['other', 6n],
      ['main', 5n],
    ] as const)
      await client.send({ kind: 'ACK', stream, session: sessionOf(engine), seq })
    await client.ask(null, 0n)
    const { epoch, random } = sessionOf(engine)
    const ack = { kind: 'ack', session: { epoch: `${epoch}`, random: `${random}` }, seq: '5' }
    expect(engine.reports.filter(({ kind }) => kind === 'ack')).toEqual([ack, ack])
  })
})
