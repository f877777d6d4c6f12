import type { Mutant } from '../mutant.ts'
import { byBridge, byLeadership, leadership } from './places.ts'

/** One leads; whoever leads has fenced the others, and starts from what they left. */
export const leading: readonly Mutant[] = [
  {
    name: 'the tail is read before the fence',
    file: leadership,
    find: 'const writer = await kafka.openTxWriter({ transactionalId })',
    replace: `let opened: Promise<TxWriter> | null = null
    const open = () => (opened ??= kafka.openTxWriter({ transactionalId }))
    const writer: TxWriter = {
      commitBatch: async batch => (await open()).commitBatch(batch),
      proveUnfenced: async as => (await open()).proveUnfenced(as),
      close: async () => (await open()).close(),
    }`,
    caughtBy: byBridge('what the other commits until it is fenced is not written again'),
  },
  {
    name: 'whoever was fenced leads again without asking',
    file: leadership,
    find: 'await this.#untilOwner(signal, membership)',
    replace: 'await this.#options.clock.sleep(this.#options.backoffMs, signal)',
    caughtBy: byLeadership('is followed by no other before the coordinator names this member'),
  },
  {
    name: 'a stop counts though another has fenced its term',
    file: leadership,
    find: 'if (error instanceof Stop) await this.#checkUnfenced(writer, error)',
    replace: '',
    caughtBy: byLeadership('does not count in a term that was replaced, though the group names its member again'),
  },
  {
    name: 'a stop is lost when it can never be asked whether it counts',
    file: leadership,
    find: 'if (!endsTerm(error)) return',
    replace: 'if (!endsTerm(error)) throw error',
    caughtBy: byLeadership('counts when it can never be asked whether the term was replaced'),
  },
  {
    name: 'whoever is not the owner does not ask again',
    file: leadership,
    find: '        said = owner\n',
    replace: '        await new Promise(() => {})\n',
    caughtBy: byLeadership('is followed by no other before the coordinator names this member'),
  },
  {
    name: 'a coordinator that can not be asked ends the service',
    file: leadership,
    find: "if (!(error instanceof KafkaFailure) || error.kind === 'fatal') throw error",
    replace: 'if (error !== null) throw error',
    caughtBy: byLeadership('is followed by no other before the coordinator names this member'),
  },
  {
    name: 'a term begins before the one before has drained',
    file: leadership,
    find: 'running = running.then(() => this.#serve(own.signal, joined.promise))',
    replace: 'running = this.#serve(own.signal, joined.promise)',
    caughtBy: byLeadership('never begins before the one before has drained'),
  },
  {
    name: 'a term begins during the stop',
    file: leadership,
    find: '      if (stopping) return\n',
    replace: '',
    caughtBy: byLeadership('begins no term, though an assignment comes while it drains'),
  },
  {
    name: 'a log of several partitions is written',
    file: 'bridge/bridge.ts',
    find: 'if (count !== 1)',
    replace: 'if (count === 0)',
    caughtBy: byBridge('a topic that is not there, or has more than one partition'),
  },
]
