import { expect, it } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { startEngine, until } from '../../sim/engine/testing/running-engine.ts'
import { tempFolder } from '../../sim/engine/testing/temp-folder.ts'
import { freePort, type WiredBridge, wireBridge } from './wired-bridge.ts'

const outputsOf = (reports: readonly { readonly kind: string }[]): number | undefined =>
  (reports.find(({ kind }) => kind === 'done') as { outputs: number } | undefined)?.outputs

/** A whole flow of a seed through an engine of that dialect, its live socket of that pattern. */
const flow = async (
  dialect: 'avro' | 'json',
  pattern: 'sub' | 'pull' = 'sub',
): Promise<{ payloads: readonly Buffer[]; bridge: WiredBridge }> => {
  const pullAddress = `tcp://127.0.0.1:${await freePort()}`
  const pushing = { ENGINE_LIVE_MODE: 'push', ENGINE_LIVE_ADDRESS: pullAddress }
  const environment = { ENGINE_DIALECT: dialect, ENGINE_STREAM: 'demo', ENGINE_SEED: '7', ENGINE_MAX_UNACKED: '100' }
  const engine = await startEngine(
    tempFolder(),
    { ...environment, ...(pattern === 'pull' ? pushing : {}) },
    { wallClockUs: () => systemClock.nowUs() },
  )
  const live = pattern === 'pull' ? `pull:${pullAddress}` : `sub:${engine.live}`
  const bridge = wireBridge({ dialect, live, replay: engine.replay })
  await until(() => bridge.outcome() !== undefined || bridge.payloads().length === outputsOf(engine.reports))
  expect(bridge.outcome()).toBeUndefined()
  await bridge.stop()
  return { payloads: bridge.payloads(), bridge }
}

it('a flow through the JSON dialect leaves the same bytes in the log as through our own', async () => {
  const ours = await flow('avro')
  expect(ours.payloads.length).toBeGreaterThan(200)
  for (const pattern of ['sub', 'pull'] as const) {
    const json = await flow('json', pattern)
    expect(Buffer.concat([...json.payloads]).equals(Buffer.concat([...ours.payloads]))).toBe(true)
    expect(json.payloads.length).toBe(ours.payloads.length)
  }
})
