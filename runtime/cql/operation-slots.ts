import { createRequire } from 'node:module'

/**
 * The requests under way on one connection, by stream id: the part of a Map that the driver uses. A Map that loses an
 * entry for each that it gains is made anew every hundred or so, and the one before points to it: once a collection has
 * moved one of them to the old generation, all that come after are kept, with what was under way, until the next full
 * collection (`docs/decisions/0015-what-the-collector-moves.md`).
 */
export class OperationSlots<Operation> {
  readonly #slots: (Operation | undefined)[] = []

  get(streamId: number): Operation | undefined {
    return this.#slots[streamId]
  }

  set(streamId: number, operation: Operation): void {
    // Ids are given out from 0 on, and again once they are free: no more of them than there were requests at once.
    this.#slots[streamId] = operation
  }

  delete(streamId: number): void {
    if (streamId < this.#slots.length) this.#slots[streamId] = undefined
  }

  *values(): IterableIterator<Operation> {
    for (const operation of this.#slots) if (operation !== undefined) yield operation
  }
}

const kept = Symbol('operations')

/**
 * Lets every connection of the driver keep its requests in `OperationSlots`. It has no option for that: the field is
 * its own, `_operations` of `lib/connection.js`, and holds for the version that package.json pins.
 */
export const useOperationSlots = (): void => {
  const { prototype } = createRequire(import.meta.url)('cassandra-driver/lib/connection.js') as {
    readonly prototype: { [kept]?: unknown }
  }
  Object.defineProperty(prototype, '_operations', {
    configurable: true,
    get(this: typeof prototype) {
      return this[kept]
    },
    set(this: typeof prototype, value: unknown) {
      this[kept] = value instanceof Map ? new OperationSlots() : value
    },
  })
}
