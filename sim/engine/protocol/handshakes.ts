import type { Logger } from 'pino'
import type { Observer } from 'zeromq'

/** How long a peer that connects to us, or we to it, is left alone after a failed handshake. */
const againMs = 1_000

/**
 * Tells of handshakes that fail, which libzmq keeps to itself: the first, then every hundredth. Where the engine is
 * the one that connects, `connectAgain` does what libzmq doesn't do after a refusal.
 */
export const watchHandshakes = async (
  events: Observer,
  { log, name, connectAgain }: { log: Logger; name: string; connectAgain?: () => void },
): Promise<void> => {
  let count = 0
  for await (const event of events) {
    const isFailure =
      event.type === 'handshake:error:auth' ||
      event.type === 'handshake:error:protocol' ||
      event.type === 'handshake:error:other'
    if (!isFailure) continue
    count++
    const reason = 'status' in event.error ? `ZAP status ${event.error.status}` : event.error.code
    if (count % 100 === 1) log.warn({ socket: name, address: event.address, reason, count }, 'a handshake failed')
    if (connectAgain && event.type !== 'handshake:error:other') setTimeout(connectAgain, againMs).unref()
  }
}
