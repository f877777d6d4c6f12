import { types } from 'cassandra-driver'

const { localQuorum } = types.consistencies

/** How many replicas must answer: any that are read have one among them that was written. */
export const consistency = { read: localQuorum, write: localQuorum } as const
