import { createRequire } from 'node:module'

export type RequestQueue = {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests: (this: RequestQueue) => void
}

/** One for each connection; a private class, so the version is pinned. */
export const RequestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue/index.js') as {
  readonly prototype: RequestQueue
  new (options: object): RequestQueue
}

const { prototype } = RequestQueue
const look = prototype.scheduleCheckPendingRequests

/**
 * Once a connection has had an answer, kafkajs looks at its queue again every millisecond, for ever, by a timer whose
 * time is negative, which Node warns of: an idle service with its dozen connections takes a tenth of a core for it. A
 * queue with nothing in it has nothing to wait for: whatever comes next is sent at once, or looks for itself.
 */
export const letEmptyQueuesRest = (): void => {
  prototype.scheduleCheckPendingRequests = function () {
    if (this.pending.length > 0) look.call(this)
  }
}
