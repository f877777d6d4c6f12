/**
 * What a restore of the log commits as the metadata of the bridge's offset, in the transactions that write the log: the
 * mark and the records are there together or not at all. A log that bears `begun` is a beginning only: a bridge that went
 * on from its end would stamp outputs anew that the archive still holds, and nobody could tell.
 */
export const restoreMark = { begun: 'restore-begun', done: 'restore-done' } as const
