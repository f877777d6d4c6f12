import { setTimeout as delay } from 'node:timers/promises'
import { type Chunk, type Direction, type Fault, TcpProxy } from '../faults/tcp-proxy.ts'

/** Something that befalls the connection which carries the byte after so many more in that direction. */
export type LegFault = {
  /** From the moment when it is armed, over all connections of the leg. */
  readonly afterBytes: number
  readonly direction: Direction
} & (
  | { readonly kind: 'reset' | 'halve' }
  /** The bytes go nowhere for so long; then the connection is reset, as a peer that hears nothing ends it. */
  | { readonly kind: 'drop'; readonly forMs: number }
  | { readonly kind: 'hold' | 'delay'; readonly forMs: number }
)

type Armed = { readonly fault: LegFault; readonly fired: () => void; left: number }

/** A line between two processes, through a proxy that breaks it at chosen bytes. */
export class Leg {
  readonly #armed = new Set<Armed>()
  readonly #proxy: TcpProxy

  private constructor(proxy: TcpProxy) {
    this.#proxy = proxy
  }

  /** `port` 0 takes a free one. `host`: on both sides. */
  static async open({
    port,
    targetPort,
    host = '127.0.0.1',
  }: {
    readonly port: number
    readonly targetPort: number
    readonly host?: string
  }): Promise<Leg> {
    const proxy = await TcpProxy.open({
      target: { host, port: targetPort },
      ...{ host, port },
      plan: () => chunk => leg.#faultOf(chunk),
    })
    const leg = new Leg(proxy)
    return leg
  }

  get port(): number {
    return this.#proxy.port
  }

  /** Resolves when it has happened, with false when too few bytes came within the bound. */
  async apply(fault: LegFault, { withinMs }: { readonly withinMs: number }): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const armed: Armed = { fault, left: fault.afterBytes, fired: resolve }
    this.#armed.add(armed)
    const hasFired = await Promise.race([promise.then(() => true), delay(withinMs, false, { ref: false })])
    this.#armed.delete(armed)
    return hasFired
  }

  /** Resets all its connections. */
  cutAll(): void {
    this.#proxy.cutAll()
  }

  close(): Promise<void> {
    return this.#proxy.close()
  }

  #faultOf({ direction, from, bytes }: Chunk): Fault | null {
    for (const armed of this.#armed) {
      if (armed.fault.direction !== direction) continue
      if (armed.left >= bytes.length) {
        armed.left -= bytes.length
        continue
      }
      this.#armed.delete(armed)
      armed.fired()
      return this.#proxyFault(armed.fault, from + armed.left)
    }
    return null
  }

  #proxyFault(fault: LegFault, at: number): Fault {
    switch (fault.kind) {
      case 'reset':
        return { kind: 'reset', at }
      case 'halve':
        return { kind: 'halve' }
      case 'drop':
        setTimeout(() => this.cutAll(), fault.forMs).unref()
        return { kind: 'drop', at }
      case 'hold':
        return { kind: 'hold', at, until: delay(fault.forMs, undefined, { ref: false }) }
      case 'delay':
        return { kind: 'delay', ms: fault.forMs }
    }
  }
}

export const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))
