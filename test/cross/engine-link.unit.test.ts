import { createServer } from 'node:net'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { curveKeyPair, Push } from 'zeromq'
import type { EngineLink } from '../../bridge/engine-link.ts'
import { limits } from '../../bridge/limits.ts'
import { type ZeroMqSettings, zeroMqLink } from '../../bridge/zeromq.ts'
import { systemClock } from '../../runtime/clock.ts'
import { decodeEngineFrame, encodeBridgeFrame } from '../../schemas/frames.ts'
import { isDone, startEngine } from '../../sim/engine/testing/running-engine.ts'
import { tempFolder } from '../../sim/engine/testing/temp-folder.ts'

const freePort = (): Promise<number> =>
  new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })

const settings = (over: Partial<ZeroMqSettings>): ZeroMqSettings => ({
  live: 'sub:tcp://127.0.0.1:1',
  replay: 'tcp://127.0.0.1:1',
  maxOutputBytes: 1_000_000,
  expansion: 1,
  sendTimeoutMs: 1000,
  curve: null,
  plainBeyondLoopback: 'refused',
  ...over,
})

const linkOf = (given: ZeroMqSettings) =>
  zeroMqLink(given, { log: pino({ level: 'silent' }), clock: systemClock, metrics: new Registry() })

const opened = async (given: ZeroMqSettings): Promise<EngineLink> => {
  const link = await linkOf(given)()
  onTestFinished(() => link.close())
  return link
}

/** The kind of the next message, as the bridge would decode it. */
const nextKind = async (link: EngineLink, source: 'live' | 'replay'): Promise<string> => {
  const frames = await link.receive(source)
  if (!frames) throw new Error('the link is closed')
  return decodeEngineFrame(frames).kind
}

const keys = () => {
  const [engine, bridge] = [curveKeyPair(), curveKeyPair()]
  const environment = { ENGINE_CURVE_SECRET_KEY: engine.secretKey, ENGINE_CURVE_CLIENT_KEYS: bridge.publicKey }
  const curve = { engineKey: engine.publicKey, publicKey: bridge.publicKey, secretKey: bridge.secretKey }
  return { environment, curve }
}
const plain = { environment: {}, curve: null }

describe('the bridge’s link to a real engine', () => {
  it.for([
    ['sub', 'in the clear', () => plain],
    ['pull', 'in the clear', () => plain],
    ['sub', 'by CURVE', keys],
    ['pull', 'by CURVE', keys],
  ] as const)('%s, %s: live frames and replays', async ([pattern, , make]) => {
    const { environment, curve } = make()
    const pullAddress = `tcp://127.0.0.1:${await freePort()}`
    const pushing = { ENGINE_LIVE_MODE: 'push', ENGINE_LIVE_ADDRESS: pullAddress }
    const engine = await startEngine(tempFolder(), { ...environment, ...(pattern === 'pull' ? pushing : {}) })
    const live = pattern === 'pull' ? `pull:${pullAddress}` : `sub:${engine.live}`
    const link = await opened(settings({ live, replay: engine.replay, curve }))
    expect(['OUT', 'HBT']).toContain(await nextKind(link, 'live'))
    // A heartbeat may be the first to come; before the outputs are made, a replay answers with END alone.
    await isDone(engine)
    await link.send(encodeBridgeFrame({ kind: 'REPLAY', session: null, from: 1n, to: 2n }))
    const answer = [await nextKind(link, 'replay'), await nextKind(link, 'replay'), await nextKind(link, 'replay')]
    expect(answer).toEqual(['OUT', 'OUT', 'END'])
  })

  it('speaks in the clear to loopback only, unless told otherwise', () => {
    const beyond = { live: 'sub:tcp://10.1.2.3:5555', replay: 'tcp://engine.internal:5556' }
    expect(() => linkOf(settings(beyond))).toThrow(/ENGINE_LIVE=.*loopback[^]*ENGINE_REPLAY=.*loopback/)
    expect(() => linkOf(settings({ ...beyond, plainBeyondLoopback: 'allowed' }))).not.toThrow()
    expect(() => linkOf(settings({ ...beyond, curve: keys().curve }))).not.toThrow()
  })

  it('names an address of another form', () => {
    expect(() => linkOf(settings({ live: 'tcp://127.0.0.1:1' }))).toThrow(/must be sub:<address> or pull:<address>/)
  })

  it('lets other things be heard while messages wait by the hundred', async () => {
    const link = await opened(settings({ live: 'pull:inproc://by-the-hundred' }))
    const engine = new Push({ linger: 0 })
    onTestFinished(() => engine.close())
    engine.connect('inproc://by-the-hundred')
    const sent = 4 * limits.receivesPerTurn
    for (let i = 0; i < sent; i++) await engine.send('x')
    let received = 0
    const heardAfter = new Promise<number>(resolve => setImmediate(() => resolve(received)))
    for (; received < sent; received++) await link.receive('live')
    expect(await heardAfter).toBeLessThanOrEqual(limits.receivesPerTurn)
  })
})
