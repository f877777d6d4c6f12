import { describe, expect, it } from 'vitest'
import { curveKeyPair } from 'zeromq'
import type { ZeroMqSettings } from '../../bridge/zeromq.ts'
import { systemClock } from '../../runtime/clock.ts'
import { type RunningEngine, startEngine, until } from '../../sim/engine/testing/running-engine.ts'
import { tempFolder } from '../../sim/engine/testing/temp-folder.ts'
import { freePort, type WiredBridge, wireBridge } from './wired-bridge.ts'

type Curve = ZeroMqSettings['curve']
type Pattern = 'sub' | 'pull'
const [engineKeys, bridgeKeys, strangerKeys] = [curveKeyPair(), curveKeyPair(), curveKeyPair()]
const onEngine = { ENGINE_CURVE_SECRET_KEY: engineKeys.secretKey, ENGINE_CURVE_CLIENT_KEYS: bridgeKeys.publicKey }
const onBridge = { engineKey: engineKeys.publicKey, ...bridgeKeys }

/** An engine and a bridge with these keys, the live socket of that pattern. */
const pair = async (
  pattern: Pattern,
  environment: Record<string, string>,
  curve: Curve,
): Promise<{ readonly engine: RunningEngine; readonly bridge: WiredBridge }> => {
  const [live, replay] = [`tcp://127.0.0.1:${await freePort()}`, `tcp://127.0.0.1:${await freePort()}`]
  // The last that was started is ended first: libzmq aborts a process (zap_client.cpp) in which a CURVE server is closed
  // while somebody shakes hands with it, and a bridge that is refused does that again and again.
  const engine = await engineAt(pattern, live, replay, environment)
  const bridge = wireBridge({ live: `${pattern}:${live}`, replay, curve })
  return { engine, bridge }
}
const engineAt = (
  pattern: Pattern,
  live: string,
  replay: string,
  environment: Record<string, string>,
): Promise<RunningEngine> =>
  startEngine(
    tempFolder(),
    {
      ENGINE_STREAM: 'demo',
      ENGINE_LIVE_MODE: pattern === 'sub' ? 'pub' : 'push',
      ENGINE_LIVE_ADDRESS: live,
      ENGINE_REPLAY_ADDRESS: replay,
      ...environment,
    },
    { wallClockUs: () => systemClock.nowUs() },
  )

const both = ['live', 'replay'] as const
const failures = 'settle_bridge_engine_handshake_failures_total'
const connected = 'settle_bridge_engine_connected'

describe.each(['sub', 'pull'] as const)('CURVE, live over %s', pattern => {
  it('lets in who has the right keys', async () => {
    const { bridge } = await pair(pattern, onEngine, onBridge)
    await bridge.until(() => bridge.payloads().length > 200)
    for (const socket of both) await bridge.until(async () => (await bridge.metric(connected, { socket })) === 1)
  })

  it.for([
    ['the bridge expects another engine', onEngine, { ...onBridge, engineKey: strangerKeys.publicKey }],
    ['the engine does not know the bridge', onEngine, { ...onBridge, ...strangerKeys }],
    ['the bridge has no keys', onEngine, null],
    ['the engine has no keys', {}, onBridge],
  ] as const)('%s: nothing flows, and both sides say so', async ([, environment, curve]) => {
    const { engine, bridge } = await pair(pattern, environment, curve)
    for (const socket of both) {
      await bridge.until(async () => (await bridge.metric(failures, { socket })) > 0)
      await until(() => engine.logged.some(line => line.includes('handshake') && line.includes(socket)))
      expect(await bridge.metric(connected, { socket })).toBe(0)
      expect(bridge.logged.filter(line => line['socket'] === socket)).toContainEqual(
        expect.objectContaining({
          level: 'error',
          msg: 'a handshake failed: it was cut off, or the CURVE keys of both ends do not fit',
          address: expect.stringMatching(/^tcp:/) as string,
          reason: expect.stringMatching(/^ERR_ZMTP|^EPIPE|^ECONNRESET|^ZAP status 400/) as string,
        }),
      )
    }
    expect(bridge.payloads()).toEqual([])
    expect(bridge.outcome()).toBeUndefined()
  })

  it('a bridge that was refused comes again, and is let in once it is on the list', async () => {
    const { engine, bridge } = await pair(
      pattern,
      { ...onEngine, ENGINE_CURVE_CLIENT_KEYS: strangerKeys.publicKey },
      onBridge,
    )
    await bridge.until(async () => (await bridge.metric(failures, { socket: 'live' })) > 0)
    await bridge.until(async () => (await bridge.metric(failures, { socket: 'replay' })) > 0)
    const { replay } = engine
    await engine.stop()
    await engineAt(pattern, engine.live, replay, onEngine)
    await bridge.until(() => bridge.payloads().length > 200)
  })
})
