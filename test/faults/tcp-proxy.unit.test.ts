import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { seededFaults } from './seeded-faults.ts'
import { type Chunk, type Fault, type Plan, TcpProxy } from './tcp-proxy.ts'

/** What one side of a connection has seen. */
type Side = { readonly socket: Socket; text: string; ended: boolean; error: string | null; closed: boolean }

const watch = (socket: Socket): Side => {
  const side: Side = { socket, text: '', ended: false, error: null, closed: false }
  socket.on('data', bytes => void (side.text += bytes.toString()))
  socket.on('end', () => void (side.ended = true))
  socket.on('error', (error: NodeJS.ErrnoException) => void (side.error = error.code ?? error.message))
  socket.on('close', () => void (side.closed = true))
  return side
}

const eventually = (condition: () => boolean, interval = 5): Promise<void> =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval })

let server: Server
let accepted: Side[]
let open: TcpProxy | null

beforeEach(async () => {
  accepted = []
  open = null
  server = createServer(socket => void accepted.push(watch(socket)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  await open?.close()
  for (const { socket } of accepted) socket.destroy()
  server.close()
})

const proxyTo = async (plan?: Plan): Promise<TcpProxy> => {
  const { port } = server.address() as { readonly port: number }
  open = await TcpProxy.open({ target: { host: '127.0.0.1', port }, ...(plan ? { plan } : {}) })
  return open
}
const dial = async ({ port }: TcpProxy): Promise<{ readonly client: Side; readonly target: Side }> => {
  const before = accepted.length
  const client = watch(connect({ port, host: '127.0.0.1' }))
  await eventually(() => accepted.length > before || client.closed)
  return { client, target: accepted.at(-1) as Side }
}
/** One fault for the first chunk of a direction, and none after. */
const first = (direction: Chunk['direction'], fault: Fault): Plan => {
  let done = false
  return () => chunk => {
    if (done || chunk.direction !== direction) return null
    done = true
    return fault
  }
}

describe('a TCP proxy', () => {
  it('passes bytes both ways, and the end of each', async () => {
    const proxy = await proxyTo()
    const { client, target } = await dial(proxy)
    client.socket.write('question')
    await eventually(() => target.text === 'question')
    target.socket.end('answer')
    await eventually(() => client.text === 'answer' && client.closed && proxy.open === 0)
    expect(client.error).toBeNull()
    expect(proxy.connections).toBe(1)
    expect(proxy.faults).toEqual({ drop: 0, delay: 0, hold: 0, halve: 0, reset: 0, cut: 0 })
  })

  it('drops one direction from a byte on, and keeps the connection', async () => {
    const proxy = await proxyTo(first('to target', { kind: 'drop', at: 3 }))
    const { client, target } = await dial(proxy)
    client.socket.write('abcdef')
    await eventually(() => target.text === 'abc')
    client.socket.write('more')
    target.socket.write('still here')
    await eventually(() => client.text === 'still here')
    expect(target.text).toBe('abc')
    expect([client.closed, target.closed]).toEqual([false, false])
    expect(proxy.faults).toMatchObject({ drop: 1 })
  })

  it('delays a chunk, and what comes behind it stays behind it', async () => {
    const proxy = await proxyTo(first('to client', { kind: 'delay', ms: 120 }))
    const { client, target } = await dial(proxy)
    const sentMs = performance.now()
    target.socket.write('first ')
    await eventually(() => proxy.faults.delay === 1)
    target.socket.write('second')
    await eventually(() => client.text === 'first second')
    expect(performance.now() - sentMs).toBeGreaterThan(115)
  })

  it('holds bytes until something has happened, and delivers them though the sender has gone', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const proxy = await proxyTo(first('to target', { kind: 'hold', at: 2, until: promise }))
    const { client, target } = await dial(proxy)
    client.socket.write('abcdef')
    await eventually(() => target.text === 'ab')
    client.socket.resetAndDestroy()
    await eventually(() => client.closed)
    expect(target).toMatchObject({ text: 'ab', closed: false })
    resolve()
    await eventually(() => target.text === 'abcdef' && target.closed)
  })

  it('halves a chunk, then ends the connection', async () => {
    const proxy = await proxyTo(first('to client', { kind: 'halve' }))
    const { client, target } = await dial(proxy)
    target.socket.write('12345678')
    await eventually(() => client.closed && target.closed)
    expect(client).toMatchObject({ text: '1234', ended: true, error: null })
    expect(proxy.faults).toMatchObject({ halve: 1 })
  })

  it('resets at a byte, for both sides', async () => {
    const proxy = await proxyTo(first('to target', { kind: 'reset', at: 4 }))
    const { client, target } = await dial(proxy)
    client.socket.write('abcdefgh')
    await eventually(() => client.closed && target.closed)
    expect(target.text).toBe('abcd')
    expect([client.error, target.error]).toEqual(['ECONNRESET', 'ECONNRESET'])
    expect(proxy.faults).toMatchObject({ reset: 1 })
  })

  it('cuts everything there is, and takes new connections', async () => {
    const proxy = await proxyTo()
    const pairs = [await dial(proxy), await dial(proxy)]
    proxy.cutAll()
    await eventually(() => pairs.every(({ client, target }) => client.error === 'ECONNRESET' && target.closed))
    expect(proxy.faults).toMatchObject({ cut: 2 })
    const { client, target } = await dial(proxy)
    client.socket.write('again')
    await eventually(() => target.text === 'again')
  })

  it('holds all bytes while paused', async () => {
    const proxy = await proxyTo()
    const { client, target } = await dial(proxy)
    proxy.pause()
    client.socket.write('early')
    const late = await dial(proxy)
    late.client.socket.write('late')
    // A round trip past the proxy: what could have come has come.
    const { port } = server.address() as { readonly port: number }
    const direct = await dial({ port } as TcpProxy)
    direct.client.socket.write('x')
    await eventually(() => direct.target.text === 'x')
    direct.client.socket.destroy()
    expect([target.text, late.target.text]).toEqual(['', ''])
    proxy.resume()
    await eventually(() => target.text === 'early' && late.target.text === 'late')
  })

  it('refuses new connections, lets the others go on, and accepts again at the same port', async () => {
    const proxy = await proxyTo()
    const { port } = proxy
    const { client, target } = await dial(proxy)
    proxy.refuse()
    const refused = watch(connect({ port, host: '127.0.0.1' }))
    await eventually(() => refused.closed)
    expect(refused.error).toBe('ECONNREFUSED')
    client.socket.write('going on')
    await eventually(() => target.text === 'going on')
    await proxy.accept()
    expect(proxy.port).toBe(port)
    const again = await dial(proxy)
    again.client.socket.write('back')
    await eventually(() => again.target.text === 'back')
  })

  it('reads no more than the other side takes', async () => {
    const proxy = await proxyTo()
    const { client, target } = await dial(proxy)
    target.socket.pause()
    const megabyte = Buffer.alloc(1024 * 1024)
    let taken = 0
    // Kernels buffer a few megabytes on the way; 64 of them would mean that the proxy holds the rest.
    const feed = async (): Promise<void> => {
      for (let i = 0; i < 64; i++) {
        if (!client.socket.write(megabyte)) await once(client.socket, 'drain')
        taken++
      }
    }
    const feeding = feed().catch(() => {})
    await eventually(() => proxy.open === 1 && taken > 0)
    let before = -1
    await eventually(() => {
      const still = taken === before && client.socket.writableLength > 0
      before = taken
      return still
    }, 100)
    expect(taken).toBeLessThan(48)
    proxy.cutAll()
    await eventually(() => client.closed)
    client.socket.destroy()
    await Promise.race([feeding, once(client.socket, 'close').catch(() => {})])
  })

  it('ends what is held or paused when it closes', async () => {
    const proxy = await proxyTo(first('to target', { kind: 'hold', until: new Promise(() => {}) }))
    const { client, target } = await dial(proxy)
    client.socket.write('held for ever')
    await eventually(() => proxy.faults.hold === 1)
    await proxy.close()
    await eventually(() => client.closed && target.closed)
    expect(proxy.open).toBe(0)
  })
})

describe('faults by chance', () => {
  const faultsOf = (seed: number, connection: number): readonly (Fault | null)[] => {
    const decide = seededFaults({ seed, drop: 0.1, delay: 0.1, halve: 0.1, reset: 0.1 })(connection)
    const bytes = Buffer.alloc(100)
    return Array.from({ length: 200 }, (_, i) => decide({ connection, direction: 'to target', from: i * 100, bytes }))
  }
  it('follow from the seed and the connection, and all kinds come', () => {
    expect(faultsOf(1, 1)).toEqual(faultsOf(1, 1))
    expect(faultsOf(1, 1)).not.toEqual(faultsOf(1, 2))
    expect(faultsOf(1, 1)).not.toEqual(faultsOf(2, 1))
    const kinds = new Set(faultsOf(1, 1).map(fault => fault?.kind))
    expect(kinds).toEqual(new Set([undefined, 'drop', 'delay', 'halve', 'reset']))
    for (const [i, fault] of faultsOf(1, 1).entries())
      if (fault && 'at' in fault && fault.at !== undefined) expect(Math.floor(fault.at / 100)).toBe(i)
  })

  it('come only while they are wanted', () => {
    let active = false
    const decide = seededFaults({ seed: 1, reset: 1, active: () => active })(1)
    const chunk = { connection: 1, direction: 'to target', from: 0, bytes: Buffer.alloc(9) } as const
    expect(decide(chunk)).toBeNull()
    active = true
    expect(decide(chunk)).toMatchObject({ kind: 'reset' })
  })
})
