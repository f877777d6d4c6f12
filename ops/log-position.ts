import type { EnginePosition, LogRecord } from '../core/events.ts'
import { nextChain, zeroChain } from '../schemas/chain.ts'
import { payloadOf } from '../schemas/codec.ts'

/** Where an empty log stands: before the first session. */
export const nowhere: EnginePosition = { epoch: 0n, random: 0n, seq: 0n, chain: zeroChain }

/**
 * Why a record can't stand where the log stood at `last`; null when it can. Outputs are dense in their sessions, and
 * each one's chain is the hash of its own bytes on the chain before. `value`: the bytes that it was decoded from.
 */
export const positionProblem = (last: EnginePosition, record: LogRecord, value: Buffer): string | null => {
  const { at } = record
  switch (record.kind) {
    case 'Output':
    case 'Reference':
      if ((record.kind === 'Reference') !== (record.output.reference !== null))
        return `a record of kind ${record.kind} ${record.output.reference ? 'has' : 'lacks'} reference data`
      if (!sameSession(at, last)) return `${named(at)} follows ${named(last)} without a Session record`
      if (at.seq !== last.seq + 1n) return `${named(at)} follows ${named(last)}: outputs are missing or doubled`
      return nextChain(last.chain, payloadOf(value)).equals(at.chain)
        ? null
        : `the chain of ${named(at)} is not the hash of its bytes on the chain before`
    case 'Session':
      if (at.epoch <= last.epoch) return `${named(at)} begins after ${named(last)}: epochs only rise`
      if (at.seq !== 0n) return `${named(at)} begins a session, but not at seq 0`
      return sameChain(at, last)
    case 'Gap':
      return samePosition(record.lostAfter, last)
        ? null
        : `it says lost after ${named(record.lostAfter)}, the log was at ${named(last)}`
    case 'Tick':
    case 'Correction':
    case 'Admit':
    case 'Redrive':
    case 'Refused':
    case 'Note':
      return samePosition(at, last) ? null : `a ${record.kind} at ${named(at)}, the log was at ${named(last)}`
  }
}

const sameSession = (a: EnginePosition, b: EnginePosition): boolean => a.epoch === b.epoch && a.random === b.random
const samePosition = (a: EnginePosition, b: EnginePosition): boolean =>
  sameSession(a, b) && a.seq === b.seq && a.chain.equals(b.chain)
const sameChain = (at: EnginePosition, last: EnginePosition): string | null =>
  at.chain.equals(last.chain) ? null : `the chain of ${named(at)} does not go on from ${named(last)}`
const named = ({ epoch, random, seq }: EnginePosition): string => `session ${epoch}/${random} seq ${seq}`
