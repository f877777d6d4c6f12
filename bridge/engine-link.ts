/** The engine, as the bridge sees it: what is live, what is asked for again, and what is told back. */
export interface EngineLink {
  /** False for an engine that has no replay socket: what it sent and we missed is gone, and nobody takes an ACK. */
  readonly replays: boolean
  /**
   * The next message of either socket, as its frames; undefined once closed. Not asking is the backpressure. Without
   * replays, nothing ever comes from there.
   */
  receive(source: 'live' | 'replay'): Promise<readonly Buffer[] | undefined>
  /** Sends what the dialect made of a request or an ACK. Rejects when the engine can't be told within the
   * link's send timeout; without replays it does nothing. */
  send(frames: readonly Buffer[]): Promise<void>
  close(): void
}

/** Opens both sockets; the active bridge alone holds them. */
export type OpenEngineLink = () => Promise<EngineLink>
