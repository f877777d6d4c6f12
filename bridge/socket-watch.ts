import { Counter, Gauge, type Registry } from 'prom-client'
import type { Event, Observer } from 'zeromq'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { limits } from './limits.ts'

export type SocketName = 'live' | 'replay'

export type SocketMeters = ReturnType<typeof openSocketMeters>
export const openSocketMeters = (registry: Registry) => {
  const common = { labelNames: ['socket'], registers: [registry] }
  return {
    connected: new Gauge({
      ...common,
      name: 'settle_bridge_engine_connected',
      help: 'Connections of a socket whose handshake succeeded',
    }),
    disconnects: new Counter({
      ...common,
      name: 'settle_bridge_engine_disconnects_total',
      help: 'Connections that ended, whoever ended them',
    }),
    handshakeFailures: new Counter({
      ...common,
      name: 'settle_bridge_engine_handshake_failures_total',
      help: 'Connections refused: wrong keys, no keys, or no ZeroMQ at the other end',
    }),
    cutOff: new Counter({
      ...common,
      name: 'settle_bridge_engine_cut_off_total',
      help: 'Connections cut because of a frame over the limit, or bytes that are not ZeroMQ’s',
    }),
  }
}

type SocketWatchOptions = {
  readonly socket: SocketName
  readonly events: Observer
  readonly address: string
  readonly ports: { readonly log: Log; readonly clock: Clock; readonly meters: SocketMeters }
  /** Given up by libzmq, which does not connect again by itself. Null for a bound socket: its peers do or don't. */
  readonly onGivenUp: ((why: 'handshake' | 'cut-off') => void) | null
}

/**
 * Tells what becomes of a socket's connections: libzmq connects, refuses and gives up without a word. After a failed
 * handshake, and after a frame over its limit, it never tries again; only the absence of a retry shows it.
 */
export class SocketWatch {
  readonly #options: SocketWatchOptions
  readonly #said = new Map<string, { atMs: number; since: number }>()
  readonly #closing = new AbortController()
  #connected = 0
  /** Failed handshakes whose disconnect has yet to be told. */
  #failed = 0
  #ended: 'handshake' | 'cut-off' | null = null

  constructor(options: SocketWatchOptions) {
    this.#options = options
    this.#gauge(0)
    void this.#follow()
  }

  close(): void {
    this.#closing.abort()
    this.#gauge(-this.#connected)
  }

  async #follow(): Promise<void> {
    for await (const event of this.#options.events) if (!this.#closing.signal.aborted) this.#take(event)
  }

  #take(event: Event): void {
    const { meters } = this.#options.ports
    const socket = { socket: this.#options.socket }
    switch (event.type) {
      case 'connect:retry':
      case 'connect:delay':
      case 'connect':
        this.#ended = null
        return
      case 'handshake':
        this.#gauge(1)
        return this.#say('info', 'the engine is connected')
      case 'handshake:error:auth':
      case 'handshake:error:protocol':
      case 'handshake:error:other': {
        this.#failed++
        meters.handshakeFailures.inc(socket)
        const { error } = event
        const reason = 'status' in error ? `ZAP status ${error.status}` : error.code
        // libzmq tells a refused key and a connection that was cut meanwhile in the same words.
        return this.#say('error', 'a handshake failed: it was cut off, or the CURVE keys of both ends do not fit', {
          reason,
        })
      }
      case 'disconnect': {
        const isEstablished = this.#failed === 0
        meters.disconnects.inc(socket)
        this.#ended = isEstablished ? 'cut-off' : 'handshake'
        if (isEstablished) {
          this.#gauge(-1)
          this.#say('warn', 'a connection with the engine ended')
        } else this.#failed--
        if (this.#options.onGivenUp) void this.#noticeSilence()
        return
      }
      case 'bind:error':
      case 'accept:error':
        return this.#say('error', 'the socket can’t take connections', { reason: event.error.code })
      default:
    }
  }

  /** After a disconnect libzmq tells at once that it will connect again, or nothing at all. */
  async #noticeSilence(): Promise<void> {
    await this.#options.ports.clock.sleep(limits.engineSilenceMs, this.#closing.signal)
    const why = this.#ended
    if (this.#closing.signal.aborted || !why) return
    this.#ended = null
    if (why === 'cut-off') this.#options.ports.meters.cutOff.inc({ socket: this.#options.socket })
    this.#options.onGivenUp?.(why)
  }

  #gauge(by: number): void {
    // A bound socket's peer may be told as gone without having been told as there.
    this.#connected = Math.max(0, this.#connected + by)
    this.#options.ports.meters.connected.set({ socket: this.#options.socket }, this.#connected)
  }

  /** A peer that comes again and again would fill the log: the first of each kind, then a count now and then. */
  #say(level: 'info' | 'warn' | 'error', text: string, more: { readonly reason?: string } = {}): void {
    const { log, clock } = this.#options.ports
    const key = `${text} ${more.reason}`
    const nowMs = clock.monotonicMs()
    const said = this.#said.get(key) ?? { atMs: Number.NEGATIVE_INFINITY, since: 0 }
    said.since++
    this.#said.set(key, said)
    if (nowMs - said.atMs < limits.engineLogMs) return
    log[level]({ socket: this.#options.socket, address: this.#options.address, times: said.since, ...more }, text)
    said.atMs = nowMs
    said.since = 0
  }
}
