import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Counter, Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { startHttpDoor } from './http-door.ts'

const host = '127.0.0.1'
const doorWith = (
  health: () => { readonly ok: boolean; readonly [detail: string]: unknown },
  metrics = new Registry(),
) => startHttpDoor({ host, port: 0, metrics, health })

it('shows the metrics', async () => {
  const metrics = new Registry()
  new Counter({ name: 'settle_test_total', help: 'a', registers: [metrics] }).inc(3)
  await using door = await doorWith(() => ({ ok: true }), metrics)
  const answer = await fetch(`${door.url}/metrics`)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, metrics.contentType])
  expect(await answer.text()).toContain('settle_test_total 3')
})

it('says whether the service is well, with bigints as words', async () => {
  let ok = true
  await using door = await doorWith(() => ({ ok, state: 'leading', pos: 2n ** 62n }))
  const healthy = await fetch(`${door.url}/healthz`)
  expect([healthy.status, await healthy.json()]).toEqual([200, { ok: true, state: 'leading', pos: `${2n ** 62n}` }])
  ok = false
  const ill = await fetch(`${door.url}/healthz`)
  expect([ill.status, await ill.json()]).toEqual([503, { ok: false, state: 'leading', pos: `${2n ** 62n}` }])
})

it('answers 500 when the metrics can not be read, and 404 elsewhere', async () => {
  const metrics = new Registry()
  metrics.metrics = () => Promise.reject(new Error('no metrics'))
  await using door = await doorWith(() => ({ ok: true }), metrics)
  const broken = await fetch(`${door.url}/metrics`)
  expect([broken.status, await broken.text()]).toEqual([500, 'Error: no metrics'])
  expect((await fetch(`${door.url}/`)).status).toBe(404)
})

it('a port in use is a setting to change', async () => {
  const other = createServer()
  await new Promise<void>(resolve => other.listen(0, host, resolve))
  const { port } = other.address() as AddressInfo
  const opening = startHttpDoor({ host, port, metrics: new Registry(), health: () => ({ ok: true }) })
  await expect(opening).rejects.toMatchObject({
    code: 'http-port',
    reason: 'usage',
    message: expect.stringMatching(new RegExp(`^HTTP_PORT=${port}: .*EADDRINUSE.*choose a free port`)),
  })
  await new Promise(resolve => other.close(resolve))
})

it('closes though a client keeps its connection', async () => {
  const door = await doorWith(() => ({ ok: true }))
  await fetch(`${door.url}/healthz`)
  await door[Symbol.asyncDispose]()
  await expect(fetch(`${door.url}/healthz`)).rejects.toThrow()
})
