import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Registry } from 'prom-client'
import * as zmq from 'zeromq'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { settingsProblem } from '../runtime/settings.ts'
import { refuse, type Stop } from '../runtime/stop.ts'
import type { EngineLink, OpenEngineLink } from './engine-link.ts'
import { limits } from './limits.ts'
import { openSocketMeters, type SocketMeters, type SocketName, SocketWatch } from './socket-watch.ts'

export type ZeroMqSettings = {
  /** `sub:tcp://host:port` connects to the engine's PUB; `pull:tcp://host:port` binds for its PUSH. */
  readonly live: string
  /** The engine's ROUTER; `none` for an engine that has no journal to replay from. */
  readonly replay: string
  /** MAX_OUTPUT_BYTES; what the sockets hold and let through follows from it. */
  readonly maxOutputBytes: number
  /** How many bytes the dialect may take for one of an output's. */
  readonly expansion: number
  readonly sendTimeoutMs: number
  readonly curve: { readonly engineKey: string; readonly publicKey: string; readonly secretKey: string } | null
  readonly plainBeyondLoopback: 'refused' | 'allowed'
}

type LinkPorts = { readonly log: Log; readonly clock: Clock; readonly metrics: Registry }
type Live = { readonly pattern: 'sub' | 'pull'; readonly address: string }

const loopback = /^(tcp:\/\/(127\.\d+\.\d+\.\d+|\[::1\]|localhost):\d+|ipc:\/\/.+|inproc:\/\/.+)$/

/**
 * The engine over ZeroMQ.
 * @throws Stop `settings` for an address of another form, or one beyond loopback without CURVE keys.
 */
export const zeroMqLink = (settings: ZeroMqSettings, { log, clock, metrics }: LinkPorts): OpenEngineLink => {
  const live = /^(sub|pull):(.+)$/.exec(settings.live)
  const problems: string[] = []
  if (!live) problems.push(`ENGINE_LIVE=${settings.live}: must be sub:<address> or pull:<address>`)
  const [, pattern, address] = (live ?? ['', 'sub', '']) as unknown as [string, 'sub' | 'pull', string]
  const addresses = { ENGINE_LIVE: address, ...(settings.replay === 'none' ? {} : { ENGINE_REPLAY: settings.replay }) }
  for (const [name, value] of Object.entries(addresses))
    if (!settings.curve && settings.plainBeyondLoopback === 'refused' && !loopback.test(value))
      problems.push(
        `${name}=${value}: without CURVE keys only loopback is spoken to; set the keys or ENGINE_PLAIN=allowed`,
      )
  if (problems.length > 0) throw settingsProblem(problems)
  const ports = { log, clock, meters: openSocketMeters(metrics) }
  return () => ZeroMqLink.open(settings, ports, { pattern, address })
}

/** Messages that one socket may hold, see `limits.socketBytes`. */
const highWaterMarkOf = ({ maxOutputBytes, expansion }: ZeroMqSettings): number => {
  const { min, max } = limits.socketCount
  return Math.min(max, Math.max(min, Math.floor(limits.socketBytes / (maxOutputBytes * expansion))))
}
const frameBytesOf = ({ maxOutputBytes, expansion }: ZeroMqSettings): number =>
  Math.min(limits.frameMultiple * expansion * maxOutputBytes + limits.recordOverheadBytes, 2 ** 31 - 1)

class ZeroMqLink implements EngineLink {
  readonly #settings: ZeroMqSettings
  readonly #ports: { readonly log: Log; readonly clock: Clock; readonly meters: SocketMeters }
  readonly #live: zmq.Subscriber | zmq.Pull
  readonly #replay: zmq.Dealer | null
  readonly #watches: SocketWatch[] = []
  readonly #ended = Promise.withResolvers<undefined>()
  #state: 'open' | 'closed' | Stop = 'open'
  #sending: Promise<void> = Promise.resolve()
  #receivedInTurn = 0

  private constructor(
    settings: ZeroMqSettings,
    ports: { readonly log: Log; readonly clock: Clock; readonly meters: SocketMeters },
    sockets: { readonly live: zmq.Subscriber | zmq.Pull; readonly replay: zmq.Dealer | null },
  ) {
    this.#settings = settings
    this.#ports = ports
    this.#live = sockets.live
    this.#replay = sockets.replay
  }

  static async open(
    settings: ZeroMqSettings,
    ports: { readonly log: Log; readonly clock: Clock; readonly meters: SocketMeters },
    { pattern, address }: Live,
  ): Promise<ZeroMqLink> {
    // The engine is the CURVE server on both sockets, also where it connects.
    const asClient = settings.curve
      ? {
          curveServerKey: settings.curve.engineKey,
          curvePublicKey: settings.curve.publicKey,
          curveSecretKey: settings.curve.secretKey,
        }
      : {}
    const receiving = {
      ...asClient,
      receiveHighWaterMark: highWaterMarkOf(settings),
      maxMessageSize: frameBytesOf(settings),
      linger: 0,
      // A peer that vanished without closing is noticed within half a minute.
      tcpKeepalive: 1,
      tcpKeepaliveIdle: 15,
      tcpKeepaliveInterval: 5,
      tcpKeepaliveCount: 3,
    }
    const connecting = { ...receiving, reconnectInterval: 50, reconnectMaxInterval: 1000 }
    const live = pattern === 'pull' ? new zmq.Pull(receiving) : new zmq.Subscriber(connecting)
    const replay =
      settings.replay === 'none'
        ? null
        : new zmq.Dealer({ ...connecting, sendTimeout: settings.sendTimeoutMs, immediate: true })
    const link = new ZeroMqLink(settings, ports, { live, replay })
    try {
      // Watched before it is opened, so that no event is missed.
      link.#watch('live', live, address)
      if (live instanceof zmq.Pull) await live.bind(address)
      else {
        live.subscribe()
        live.connect(address)
      }
      if (replay) {
        link.#watch('replay', replay, settings.replay)
        replay.connect(settings.replay)
      }
      return link
    } catch (error) {
      link.close()
      throw error
    }
  }

  get replays(): boolean {
    return this.#replay !== null
  }

  async receive(source: 'live' | 'replay'): Promise<readonly Buffer[] | undefined> {
    const socket = source === 'live' ? this.#live : this.#replay
    try {
      // Messages that wait are handed over without a turn of the loop between them, by hundreds: commits would end unheard.
      if (++this.#receivedInTurn >= limits.receivesPerTurn) {
        this.#receivedInTurn = 0
        await nextTurn()
      }
      if (this.#state === 'open') return socket ? await socket.receive() : await this.#ended.promise
    } catch (error) {
      // A socket closed under a waiting receive says so by an error; ours are closed only here.
      if (this.#state === 'open') throw error
    }
    if (this.#state === 'closed') return undefined
    throw this.#state
  }

  send(frames: readonly Buffer[]): Promise<void> {
    const replay = this.#replay
    if (!replay) return Promise.resolve()
    // A socket takes one send at a time.
    const sent = this.#sending.then(() => replay.send([...frames]))
    this.#sending = sent.catch(() => {})
    return sent
  }

  close(): void {
    if (this.#state === 'open') this.#end('closed')
  }

  #end(state: 'closed' | Stop): void {
    this.#state = state
    for (const watch of this.#watches) watch.close()
    this.#live.close()
    this.#replay?.close()
    this.#ended.resolve(undefined)
  }

  #watch(name: SocketName, socket: zmq.Subscriber | zmq.Pull | zmq.Dealer, address: string): void {
    const givenUp = (why: 'handshake' | 'cut-off'): void => {
      if (why === 'cut-off') return this.#cutOff(name, socket, address)
      connectAgain(socket, address)
    }
    const onGivenUp = socket instanceof zmq.Pull ? null : givenUp
    this.#watches.push(new SocketWatch({ socket: name, events: socket.events, address, ports: this.#ports, onGivenUp }))
  }

  /** What is cut off live is asked for again; what is cut off in an answer would be cut off in the next one, too. */
  #cutOff(name: SocketName, socket: zmq.Subscriber | zmq.Pull | zmq.Dealer, address: string): void {
    const { maxOutputBytes, expansion } = this.#settings
    const bytes = frameBytesOf(this.#settings)
    const message =
      `the connection to the engine’s ${name} socket ${address} was cut: it sent a frame over ${bytes} bytes ` +
      `(${limits.frameMultiple * expansion} times MAX_OUTPUT_BYTES=${maxOutputBytes}), or bytes that are not ZeroMQ’s; ` +
      'let the engine bound what one input may touch, or raise MAX_OUTPUT_BYTES'
    if (name === 'replay') return this.#end(refuse('oversized-frame', message, { address, bytes, maxOutputBytes }))
    this.#ports.log.error({ socket: name, address, bytes, maxOutputBytes }, message)
    connectAgain(socket, address)
  }
}

/** libzmq gave this connection up for good. */
const connectAgain = (socket: zmq.Subscriber | zmq.Pull | zmq.Dealer, address: string): void => {
  try {
    socket.disconnect(address)
  } catch {
    // It has forgotten the address, too.
  }
  socket.connect(address)
}
