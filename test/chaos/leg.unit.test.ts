import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { Leg, type LegFault } from './leg.ts'

/** A leg to a server that keeps what it is sent, and one client of it. */
const openLeg = async () => {
  const received: Buffer[] = []
  const server = createServer(socket => socket.on('data', chunk => received.push(chunk)).on('error', () => {}))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const leg = await Leg.open({ port: 0, targetPort: (server.address() as AddressInfo).port })
  const client = connect(leg.port, '127.0.0.1')
  client.on('error', () => {})
  onTestFinished(async () => {
    client.destroy()
    await leg.close()
    server.close()
  })
  await once(client, 'connect')
  return { leg, client, received: () => Buffer.concat(received).toString() }
}

const armed = (change: Partial<LegFault>): LegFault =>
  ({ kind: 'reset', direction: 'to target', afterBytes: 5, ...change }) as LegFault
const closed = (socket: Socket): Promise<unknown> =>
  new Promise(resolve => (socket.closed ? resolve(null) : socket.once('close', resolve)))

it('resets the connection at the byte that was chosen', async () => {
  const { leg, client, received } = await openLeg()
  const fault = leg.apply(armed({}), { withinMs: 5000 })
  client.write('0123456789')
  expect(await fault).toBe(true)
  await closed(client)
  expect('01234'.startsWith(received())).toBe(true)
})

it('counts the bytes of its direction from when it was armed, over several chunks', async () => {
  const { leg, client } = await openLeg()
  const early = leg.apply(armed({ direction: 'to client', afterBytes: 0 }), { withinMs: 200 })
  const fault = leg.apply(armed({ afterBytes: 15 }), { withinMs: 5000 })
  client.write('0123456789')
  expect(await early).toBe(false)
  client.write('0123456789')
  expect(await fault).toBe(true)
})

it('says when too few bytes came', async () => {
  const { leg, client } = await openLeg()
  client.write('0123')
  expect(await leg.apply(armed({}), { withinMs: 50 })).toBe(false)
})
