import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export type Direction = 'to target' | 'to client'

/** Some bytes on their way. `from` counts those of this direction of this connection before them. */
export type Chunk = {
  readonly connection: number
  readonly direction: Direction
  readonly from: number
  readonly bytes: Buffer
}

/** What becomes of a chunk. `at` is a byte of the direction, counted like `Chunk.from`; what is before it is delivered. */
export type Fault =
  /** From there on the bytes of this direction go nowhere; the connection stays. */
  | { readonly kind: 'drop'; readonly at?: number }
  /** Delivered so much later, and everything behind it too. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Delivered once something has happened, even if the sender has gone meanwhile: as a network does with late bytes. */
  | { readonly kind: 'hold'; readonly at?: number; readonly until: Promise<unknown> }
  /** The first half is delivered, then the connection ends as if the other side had closed it. */
  | { readonly kind: 'halve' }
  /** The connection is reset in both directions. */
  | { readonly kind: 'reset'; readonly at?: number }

/** Asked about each chunk of one connection, in both directions, in the order in which they came. */
export type ConnectionPlan = (chunk: Chunk) => Fault | null

/** Asked for each new connection; they are numbered 1, 2, 3 … */
export type Plan = (connection: number) => ConnectionPlan

const noFaults: Plan = () => () => null

export type FaultCounts = { readonly [Kind in Fault['kind'] | 'cut']: number }

export type TcpProxyOptions = {
  readonly target: { readonly host: string; readonly port: number }
  /** Where it listens: 127.0.0.1 unless said otherwise. */
  readonly host?: string
  /** 0 takes a free one. */
  readonly port?: number
  readonly plan?: Plan
}

const loopback = '127.0.0.1'

/**
 * A TCP proxy that does to the bytes what a plan says. Memory is bounded: each direction of each connection is read
 * only when what was read before is on its way.
 */
export class TcpProxy implements AsyncDisposable {
  readonly #target: { readonly host: string; readonly port: number }
  readonly #host: string
  readonly #plan: Plan
  readonly #links = new Set<Link>()
  readonly #counts = { drop: 0, delay: 0, hold: 0, halve: 0, reset: 0, cut: 0 }
  #server: Server | null = null
  #port: number
  #connections = 0
  #gate: PromiseWithResolvers<void> | null = null

  private constructor({ target, host = loopback, port = 0, plan = noFaults }: TcpProxyOptions) {
    this.#target = target
    this.#host = host
    this.#port = port
    this.#plan = plan
  }

  /** Listens when it resolves. */
  static async open(options: TcpProxyOptions): Promise<TcpProxy> {
    const proxy = new TcpProxy(options)
    await proxy.accept()
    return proxy
  }

  get port(): number {
    return this.#port
  }

  get address(): string {
    return `${this.#host}:${this.#port}`
  }

  /** Faults that were applied, and connections that `cutAll` ended. */
  get faults(): FaultCounts {
    return { ...this.#counts }
  }

  /** Connections so far. */
  get connections(): number {
    return this.#connections
  }

  /** Connections now. */
  get open(): number {
    return this.#links.size
  }

  /** Resets every connection there is. */
  cutAll(): void {
    this.#counts.cut += this.#links.size
    for (const link of this.#links) link.cut()
  }

  /** Holds all bytes of all connections; connections are still made. */
  pause(): void {
    this.#gate ??= Promise.withResolvers()
  }

  resume(): void {
    this.#gate?.resolve()
    this.#gate = null
  }

  /** New connections are refused, as by a machine where nothing listens; those there are go on. */
  refuse(): void {
    this.#server?.close()
    this.#server = null
  }

  /** Takes connections again, at the same port. */
  async accept(): Promise<void> {
    if (this.#server) return
    const server = createServer({ allowHalfOpen: true, noDelay: true }, client => void this.#serve(client))
    this.#server = server
    server.listen({ host: this.#host, port: this.#port, exclusive: true })
    await once(server, 'listening')
    this.#port = (server.address() as { readonly port: number }).port
  }

  async close(): Promise<void> {
    this.resume()
    this.refuse()
    for (const link of this.#links) link.cut()
    await Promise.all([...this.#links].map(({ over }) => over))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #serve(client: Socket): Promise<void> {
    const link = new Link({
      client,
      target: connect({ ...this.#target, allowHalfOpen: true, noDelay: true }),
      number: ++this.#connections,
      plan: this.#plan,
      passed: () => this.#gate?.promise,
      onFault: kind => void this.#counts[kind]++,
    })
    this.#links.add(link)
    await link.over
    this.#links.delete(link)
  }
}

type LinkOptions = {
  readonly client: Socket
  readonly target: Socket
  readonly number: number
  readonly plan: Plan
  /** Resolves when bytes may pass; undefined when they may now. */
  readonly passed: () => Promise<void> | undefined
  readonly onFault: (kind: Fault['kind']) => void
}

/** One connection, which is two sockets and two directions. */
class Link {
  readonly #options: LinkOptions
  readonly #plan: ConnectionPlan
  readonly #cut = Promise.withResolvers<void>()
  #isCut = false
  /** Resolves when nothing of it is left. */
  readonly over: Promise<void>

  constructor(options: LinkOptions) {
    this.#options = options
    this.#plan = options.plan(options.number)
    // Errors come out of the loops; without a listener they would end the process.
    for (const socket of [options.client, options.target]) socket.on('error', () => {})
    this.over = this.#run()
  }

  cut(): void {
    this.#isCut = true
    this.#cut.resolve()
    for (const socket of [this.#options.client, this.#options.target]) socket.resetAndDestroy()
  }

  async #run(): Promise<void> {
    const { client, target } = this.#options
    await Promise.all([
      this.#pipe({ source: client, sink: target, direction: 'to target' }),
      this.#pipe({ source: target, sink: client, direction: 'to client' }),
    ])
    client.destroy()
    target.destroy()
  }

  /** Whoever breaks off breaks off the other side too, but not before what he sent is on its way. */
  async #pipe({
    source,
    sink,
    direction,
  }: {
    readonly source: Socket
    readonly sink: Socket
    readonly direction: Direction
  }): Promise<void> {
    let from = 0
    let dropping = false
    try {
      for await (const bytes of source as AsyncIterable<Buffer>) {
        await this.#unlessCut(this.#options.passed())
        const fault = dropping ? null : this.#plan({ connection: this.#options.number, direction, from, bytes })
        from += bytes.length
        if (fault) this.#options.onFault(fault.kind)
        if (dropping) continue
        if (fault?.kind === 'drop') dropping = true
        await this.#apply(fault, { bytes, from: from - bytes.length, sink })
        if (this.#isCut) return
      }
      if (!dropping) sink.end()
    } catch {
      // The source broke, or was cut.
      sink.resetAndDestroy()
    }
  }

  async #apply(
    fault: Fault | null,
    { bytes, from, sink }: { readonly bytes: Buffer; readonly from: number; readonly sink: Socket },
  ): Promise<void> {
    const before = (at: number | undefined): Buffer => bytes.subarray(0, at === undefined ? 0 : Math.max(0, at - from))
    switch (fault?.kind) {
      case undefined:
        return this.#write(sink, bytes)
      case 'drop':
        return this.#write(sink, before(fault.at))
      case 'delay':
        await this.#unlessCut(delay(fault.ms))
        return this.#write(sink, bytes)
      case 'hold': {
        const early = before(fault.at)
        await this.#write(sink, early)
        await this.#unlessCut(fault.until)
        return this.#write(sink, bytes.subarray(early.length))
      }
      case 'halve':
        await this.#write(sink, bytes.subarray(0, Math.ceil(bytes.length / 2)))
        this.#end()
        return
      case 'reset':
        await this.#write(sink, before(fault.at))
        this.cut()
        return
    }
  }

  /** Ends both sides as if each had been closed by the other. */
  #end(): void {
    this.#isCut = true
    this.#cut.resolve()
    this.#options.client.destroySoon()
    this.#options.target.destroySoon()
  }

  /** Resolves when the kernel has the bytes, so that no more is read than is taken. */
  async #write(sink: Socket, bytes: Buffer): Promise<void> {
    if (bytes.length === 0 || sink.destroyed || this.#isCut) return
    const { promise, resolve } = Promise.withResolvers<void>()
    sink.write(bytes, () => resolve())
    await this.#unlessCut(promise)
  }

  async #unlessCut(until: Promise<unknown> | undefined): Promise<void> {
    if (until) await Promise.race([until, this.#cut.promise])
  }
}
