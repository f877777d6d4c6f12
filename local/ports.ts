import { readFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'

const LOWEST = 15_000
const FALLBACK_HIGHEST = 32_000
const TRIES = 200

/**
 * Free ports, free on each of the addresses, all different.
 *
 * They are taken below the range from which the kernel gives ports to outgoing connections: while a server is down its
 * clients dial its port without end, and a port of that range could become the source port of one of them, even of the
 * very connection to it (TCP lets it meet itself), and the server would not get it back.
 * @throws Error when 200 tries find too few
 */
export async function freePorts(count: number, addresses: readonly string[]): Promise<number[]> {
  const highest = highestPort()
  const held: Server[] = []
  const found: number[] = []
  try {
    for (let i = 0; i < TRIES && found.length < count; i++) {
      const port = LOWEST + Math.floor(Math.random() * (highest - LOWEST))
      const servers = found.includes(port) ? undefined : await hold(port, addresses)
      if (servers === undefined) continue
      held.push(...servers)
      found.push(port)
    }
  } finally {
    await Promise.all(held.map(release))
  }
  if (found.length < count) throw new Error(`no ${count} free ports between ${LOWEST} and ${highest}`)
  return found
}

/** Whether a server could listen on the port of the address now. */
export async function isPortFree(port: number, address: string): Promise<boolean> {
  const servers = await hold(port, [address])
  if (servers === undefined) return false
  await Promise.all(servers.map(release))
  return true
}

/** Whether something accepts connections there. */
export function answersAt(port: number, address: string, options: { timeoutMs: number }): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: address, timeout: options.timeoutMs })
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}

/** Held until all are found, so that none is found twice. */
async function hold(port: number, addresses: readonly string[]): Promise<Server[] | undefined> {
  const servers: Server[] = []
  for (const address of addresses) {
    const server = await listen(port, address)
    if (server === undefined) {
      await Promise.all(servers.map(release))
      return undefined
    }
    servers.push(server)
  }
  return servers
}

function listen(port: number, address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined)
      else reject(error)
    })
    server.listen({ port, host: address, exclusive: true }, () => resolve(server))
  })
}

function release(server: Server): Promise<void> {
  return new Promise(resolve => server.close(() => resolve()))
}

function highestPort(): number {
  try {
    const low = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0])
    // A machine that gives out almost every port leaves no room below; then any port is as good as another.
    return low > LOWEST + 1_000 ? low : FALLBACK_HIGHEST
  } catch {
    return FALLBACK_HIGHEST
  }
}
