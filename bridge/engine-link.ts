/** The engine, as the bridge sees it: what is live, what is asked for again, and what is told back. */
export interface EngineLink {
  /** Whether the engine can be asked again; if not, there is no replay socket, and nobody to acknowledge to. */
  readonly replays: boolean
  /** The next message of either socket, as its frames; undefined once closed. Not asking is the backpressure. */
  receive(source: 'live' | 'replay'): Promise<readonly Buffer[] | undefined>
  /** Sends what the dialect made of a request or an ACK. Rejects when the engine can't be told within the link's send timeout. */
  send(frames: readonly Buffer[]): Promise<void>
  close(): void
}

/** Opens both sockets; the active bridge alone holds them. */
export type OpenEngineLink = () => Promise<EngineLink>
