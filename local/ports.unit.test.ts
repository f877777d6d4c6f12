import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { answersAt, freePorts, isPortFree } from './ports.ts'

const cleanups: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function listener(address: string): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, address, resolve))
  cleanups.push(() => new Promise(resolve => server.close(resolve)))
  return (server.address() as AddressInfo).port
}

test('free ports differ, are free, and are not given to outgoing connections', async () => {
  const ports = await freePorts(20, ['127.0.0.1', '127.0.0.2'])
  expect(new Set(ports).size).toBe(20)
  const low = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0])
  for (const port of ports) {
    expect(port).toBeLessThan(low)
    expect(await isPortFree(port, '127.0.0.1')).toBe(true)
    expect(await isPortFree(port, '127.0.0.2')).toBe(true)
  }
})

test('a port in use is not free on its address, and answers', async () => {
  const port = await listener('127.0.0.2')
  expect(await isPortFree(port, '127.0.0.2')).toBe(false)
  expect(await isPortFree(port, '127.0.0.1')).toBe(true)
  expect(await answersAt(port, '127.0.0.2', { timeoutMs: 1_000 })).toBe(true)
  expect(await answersAt(port, '127.0.0.1', { timeoutMs: 1_000 })).toBe(false)
})
