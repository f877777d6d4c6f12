import { expect, it } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { startEngine } from '../../sim/engine/testing/running-engine.ts'
import { tempFolder } from '../../sim/engine/testing/temp-folder.ts'
import { freePort, wireBridge } from './wired-bridge.ts'

const outputsOf = (reports: readonly { readonly kind: string }[]): number | undefined =>
  (reports.find(({ kind }) => kind === 'done') as { outputs: number } | undefined)?.outputs

type Engine = {
  readonly dialect: 'avro' | 'json'
  readonly pattern?: 'sub' | 'pull'
  readonly chain?: 'sent' | 'unsent'
}

/** The payloads in the log after a whole flow of one seed. */
const flow = async ({ dialect, pattern = 'sub', chain = 'sent' }: Engine): Promise<readonly Buffer[]> => {
  const pullAddress = `tcp://127.0.0.1:${await freePort()}`
  const pushing = { ENGINE_LIVE_MODE: 'push', ENGINE_LIVE_ADDRESS: pullAddress }
  const speaking = { ENGINE_DIALECT: dialect, ENGINE_CHAIN: chain }
  const engine = await startEngine(
    tempFolder(),
    {
      ...{ ENGINE_STREAM: 'demo', ENGINE_SEED: '7', ENGINE_MAX_UNACKED: '100' },
      ...speaking,
      ...(pattern === 'pull' ? pushing : {}),
    },
    { wallClockUs: () => systemClock.nowUs() },
  )
  const live = pattern === 'pull' ? `pull:${pullAddress}` : `sub:${engine.live}`
  const bridge = wireBridge({ dialect, live, replay: engine.replay })
  await bridge.until(() => bridge.payloads().length === outputsOf(engine.reports))
  await bridge.stop()
  return bridge.payloads()
}

it('a flow through the JSON dialect leaves the same bytes in the log as through our own', async () => {
  const ours = await flow({ dialect: 'avro' })
  expect(ours.length).toBeGreaterThan(200)
  for (const engine of [{ pattern: 'sub' }, { pattern: 'pull' }, { chain: 'unsent' }] as const) {
    const json = await flow({ dialect: 'json', ...engine })
    expect(json.length).toBe(ours.length)
    expect(Buffer.concat([...json]).equals(Buffer.concat([...ours]))).toBe(true)
  }
})
