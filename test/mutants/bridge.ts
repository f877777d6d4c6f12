import type { Mutant } from './mutant.ts'

const sequencer = 'bridge/sequencer.ts'
const writer = 'bridge/log-writer.ts'
const term = 'bridge/term.ts'
const clock = 'bridge/clock-guard.ts'
const commands = 'bridge/operator-commands.ts'
const pacer = 'bridge/replay-pacer.ts'
const leadership = 'runtime/leadership.ts'
const unit =
  (file: string) =>
  (test: string): Mutant['caughtBy'] => ({ project: 'unit', file, test })
const bySequencer = unit('bridge/sequencer.unit.test.ts')
const byBuffer = unit('bridge/reorder-buffer.unit.test.ts')
const byBridge = unit('bridge/bridge.unit.test.ts')
const byClock = unit('bridge/clock-guard.unit.test.ts')
const byCommands = unit('bridge/operator-commands.unit.test.ts')
const byLeadership = unit('runtime/leadership.unit.test.ts')
const byJson = unit('bridge/dialects/json.unit.test.ts')
const byLink = unit('test/cross/engine-link.unit.test.ts')

const commit =
  'await this.#writer.commitBatch({ records, ...(answered ? { groupOffset: this.#answered(answered) } : {}) })'

/** One order, nothing left out, nothing twice, each chain proven. */
const order: readonly Mutant[] = [
  {
    name: 'a gap is skipped',
    file: sequencer,
    find: 'return at.seq > this.#at.seq + 1n ? this.#keep(frame) : this.#next(',
    replace: 'return this.#next(',
    caughtBy: bySequencer('an engine that keeps no chain is asked for what is missing, though no chain shows the hole'),
  },
  {
    name: 'an output is taken again',
    file: sequencer,
    find: "if (at.seq <= this.#at.seq) return [{ kind: 'drop', reason: 'seen', at }]",
    replace: '',
    caughtBy: bySequencer('an engine that keeps no chain has no output taken twice'),
  },
  {
    name: 'the chain of an output is not checked',
    file: sequencer,
    find: 'if (at.chain && !chain.equals(at.chain)) {',
    replace: 'if (at.chain && at.chain.length === 0) {',
    caughtBy: bySequencer('stops on a chain that does not follow'),
  },
  {
    name: 'the chain of a heartbeat is not checked',
    file: sequencer,
    find: 'if (at.seq !== this.#at.seq || !at.chain || at.chain.equals(this.#at.chain)) return []',
    replace: 'if (at.seq >= 0n) return []',
    caughtBy: bySequencer('stops on a heartbeat with another chain at the same seq'),
  },
  {
    name: 'a new session needs no proof that the old one is complete',
    file: sequencer,
    find: 'at.seq === 1n && (at.chain ? nextChain(this.#at.chain, payload).equals(at.chain) : this.#mayBeginUnchained())',
    replace: 'at.seq === 1n',
    caughtBy: bySequencer('takes a new session by its first output only when that extends the chain'),
  },
  {
    name: "a heartbeat's new session needs no proof that the old one is complete",
    file: sequencer,
    find: 'at.seq === 0n && (at.chain ? at.chain.equals(this.#at.chain) : this.#mayBeginUnchained())',
    replace: 'at.seq === 0n',
    caughtBy: bySequencer('begins the next by a heartbeat that starts where this one stands, and by no other'),
  },
  {
    name: 'without a chain any session may begin',
    file: sequencer,
    find: 'return this.#over || (this.#at.epoch === noSession && !this.#replays)',
    replace: 'return true',
    caughtBy: bySequencer('begins its next session only when the end of this one was told'),
  },
  {
    name: 'a lower epoch is taken for a later session',
    file: sequencer,
    find: "return this.#finished && sameSession(at, this.#finished) ? 'finished-session' : 'lower-epoch'",
    replace: "return 'later'",
    caughtBy: bySequencer('drops another engine of the same epoch, and lower epochs'),
  },
  {
    name: 'another engine of the same epoch is taken for ours',
    file: sequencer,
    find: "if (at.epoch === now.epoch) return 'foreign-session'",
    replace: "if (at.epoch === now.epoch) return 'this'",
    caughtBy: bySequencer('drops another engine of the same epoch, and lower epochs'),
  },
  {
    name: 'the session after may come before',
    file: sequencer,
    find: 'if (next.epoch <= now.epoch)',
    replace: 'if (next.epoch < 0n)',
    caughtBy: bySequencer('stops when the session after does not come after'),
  },
  {
    name: 'TRIMMED is ignored',
    file: sequencer,
    find: "if (place === 'this' && at.seq <= now.seq) return []",
    replace: 'if (at.seq >= 0n) return []',
    caughtBy: bySequencer('stops on TRIMMED that leaves a hole, and passes over one that does not'),
  },
  {
    name: 'an engine that lost outputs is believed',
    file: sequencer,
    find: 'if (at.seq < now.seq && !over) return []',
    replace: 'if (at.seq < now.seq) return []',
    caughtBy: bySequencer('stops when the engine ends before what is durable'),
  },
  {
    name: 'an engine with a history is taken into an empty log',
    file: sequencer,
    find: 'if (at.chain && !at.chain.equals(zeroChain))',
    replace: 'if (at.chain && at.chain.length === 0)',
    caughtBy: bySequencer('stops on a history that begins before an empty log'),
  },
  {
    name: 'a lost tail is not seen',
    file: sequencer,
    find: `    if (place !== 'this') return [{ kind: 'drop', reason: place, at }]
    if (at.seq > this.#highest) this.#highest = at.seq
`,
    replace: "    if (place !== 'this') return [{ kind: 'drop', reason: place, at }]\n",
    caughtBy: bySequencer('sees the loss of the last message by the heartbeat'),
  },
  {
    name: 'a hole of an engine that can not replay is waited for',
    file: sequencer,
    find: `    if (at.seq > this.#highest) this.#highest = at.seq
    if (!this.#replays) return [this.#gap(at, null)]
`,
    replace: '    if (at.seq > this.#highest) this.#highest = at.seq\n',
    caughtBy: bySequencer('stops on a hole, and says how to go on'),
  },
  {
    name: 'an output that is refused is left out',
    file: sequencer,
    find: `        effects.push(halt(found.code, message, next))
        return effects`,
    replace: `        this.#at = next
        continue`,
    caughtBy: bySequencer('is the way past an output that can not be taken'),
  },
  {
    name: 'an output that nobody can read is left out',
    file: sequencer,
    find: "if (found.kind === 'refused') {",
    replace: `if (found.kind === 'refused' && found.code === 'undecodable-output') {
        this.#at = next
        continue
      }
      if (found.kind === 'refused') {`,
    caughtBy: byBridge('a bridge refuses an output that nobody can read'),
  },
  {
    name: 'an output of any size is taken',
    file: 'bridge/inspect-output.ts',
    find: 'if (payload.length > maxOutputBytes)',
    replace: 'if (payload.length < 0)',
    caughtBy: byBridge('a bridge refuses an output that is too large'),
  },
  {
    name: 'outputs are not read before they are written',
    file: 'bridge/inspect-output.ts',
    find: 'return { kind: recordKindOf(payload) }',
    replace: "return { kind: payload.length === 0 ? recordKindOf(payload) : 'Output' }",
    caughtBy: byBridge('a bridge refuses an output that nobody can read'),
  },
  {
    name: 'what waits for its turn has no bound by count',
    file: 'bridge/reorder-buffer.ts',
    find: 'this.#frames.size >= this.#maxCount || ',
    replace: '',
    caughtBy: byBuffer('what waits is bounded by count'),
  },
  {
    name: 'what waits for its turn has no bound by bytes',
    file: 'bridge/reorder-buffer.ts',
    find: ' || this.#bytes + payload.length > this.#maxBytes',
    replace: '',
    caughtBy: byBuffer('what waits is bounded by bytes'),
  },
  {
    name: 'what waits for its turn stays in the memory it came in',
    file: 'bridge/reorder-buffer.ts',
    find: 'payload: Buffer.from(payload)',
    replace: 'payload',
    caughtBy: byBuffer('what waits is a copy'),
  },
]

/** A live frame may be a stranger's: it neither stops the stream nor is believed against the log. */
const strangers: readonly Mutant[] = [
  {
    name: 'a live frame may stop the stream',
    file: sequencer,
    find: "const word = source === 'live' && this.#replays ? 'to be confirmed' : 'final'",
    replace: "const word: Word = source === 'live' ? 'final' : 'final'",
    caughtBy: bySequencer('asks the engine again before it believes a live frame that contradicts the log'),
  },
  {
    name: 'a live frame that was kept may stop the stream',
    file: sequencer,
    find: "frame === first || !this.#replays ? word : 'to be confirmed'",
    replace: "frame === first || !this.#replays ? word : 'final'",
    caughtBy: bySequencer('asks the engine again for what it kept and can not be true, too'),
  },
  {
    name: 'a live frame that contradicts the log is forgotten',
    file: sequencer,
    find: `    this.lost()
    return { kind: 'drop', reason: 'unproven', at }`,
    replace: "    return { kind: 'drop', reason: 'unproven', at }",
    caughtBy: bySequencer('asks the engine again before it believes a live frame that contradicts the log'),
  },
  {
    name: 'what a live frame claims is waited for, whatever the engine says',
    file: sequencer,
    find: 'this.#highest = at.seq > now.seq ? at.seq : now.seq',
    replace: 'if (at.seq > this.#highest) this.#highest = at.seq',
    caughtBy: bySequencer('believes the engine over a live word of what it has sent'),
  },
  {
    name: 'what is far ahead is kept',
    file: sequencer,
    find: "const kept = isFar ? 'buffer-full' : this.#buffer.add(frame)",
    replace: 'const kept = this.#buffer.add(frame)',
    caughtBy: bySequencer('believes the engine over a live word of what it has sent'),
  },
  {
    name: 'an answer on the live socket is believed',
    file: term,
    find: "if (source === 'live' && (frame.kind === 'END' || frame.kind === 'TRIMMED'))",
    replace: "if (source === 'live' && frame.kind === 'END' && frame.at.seq < 0n)",
    caughtBy: byBridge('a bridge refuses a history that differs from the log'),
  },
]

/** What is missing is asked for, once at a time, later and later. */
const replays: readonly Mutant[] = [
  {
    name: 'a replay is asked for again without backoff',
    file: pacer,
    find: 'this.#waitMs = Math.min(this.#waitMs * 2, this.#limits.replayTimeoutMaxMs)',
    replace: '',
    caughtBy: bySequencer('asks again later and later while nothing comes'),
  },
  {
    name: 'a replay is asked for while one is under way',
    file: pacer,
    find: 'if (this.#request && nowMs - this.#request.askedMs < this.#request.waitMs) return null',
    replace: '',
    caughtBy: bySequencer('asks again later and later while nothing comes'),
  },
  {
    name: 'the END of an older answer asks anew',
    file: pacer,
    find: 'if (this.#request && seq >= this.#request.to) this.#request = null',
    replace: 'this.#request = null',
    caughtBy: bySequencer('are not doubled for ever because one was late'),
  },
  {
    name: 'a malformed live message stops the stream',
    file: term,
    find: "if (source === 'replay' || !this.#link.replays)",
    replace: "if (source === 'replay' || this.#link.replays)",
    caughtBy: byBridge('a malformed live message is dropped, and what it stood for is replayed'),
  },
  {
    name: 'what a malformed live message stood for is not missed',
    file: term,
    find: `      this.#sequencer.lost()
      return null`,
    replace: '      return null',
    caughtBy: byBridge('a malformed live message is dropped, and what it stood for is replayed'),
  },
  {
    name: 'a malformed message of an answer is dropped',
    file: term,
    find: "if (source === 'replay' || !this.#link.replays)",
    replace: 'if (!this.#link.replays)',
    caughtBy: byBridge('a bridge refuses a malformed message of an answer'),
  },
  {
    name: 'a malformed message of an engine that can not replay is dropped',
    file: term,
    find: "if (source === 'replay' || !this.#link.replays)",
    replace: "if (source === 'replay')",
    caughtBy: byBridge('a bridge refuses a malformed live message of an engine that can not replay'),
  },
]

/** Durable, then acknowledged; unknown is neither. */
const durability: readonly Mutant[] = [
  {
    name: 'an ACK goes out before the commit',
    file: writer,
    find: commit,
    replace: `const early = batch.at(-1)
    if (early) {
      this.#durable = positionOf(early)
      this.#onDurable(this.#durable)
    }
    ${commit}`,
    caughtBy: byBridge('acknowledges nothing that is not committed'),
  },
  {
    name: 'an ACK says what is queued',
    file: term,
    find: 'const { epoch, random, seq } = this.#writer.durable',
    replace: 'const { epoch, random, seq } = this.at',
    caughtBy: byBridge('acknowledges nothing that is not committed'),
  },
  {
    name: 'the last ACK is said once',
    file: term,
    find: 'if (clock.monotonicMs() - this.#ackedMs >= limits.ackRepeatMs) this.#acknowledge()',
    replace: '',
    caughtBy: byBridge('says the last ACK again and again while nothing comes'),
  },
  {
    name: 'a commit whose end is unknown is taken for done',
    file: writer,
    find: commit,
    replace: `await this.#writer
      .commitBatch({ records, ...(answered ? { groupOffset: this.#answered(answered) } : {}) })
      .catch(() => {})`,
    caughtBy: byBridge('a commit whose end is not known and that was not made: nothing is lost'),
  },
  {
    name: 'a commit whose end is unknown is made again without reading the tail',
    file: writer,
    find: commit,
    replace: `const again = { records, ...(answered ? { groupOffset: this.#answered(answered) } : {}) }
    await this.#writer.commitBatch(again).catch(async () => {
      const { kafka } = this.#ports
      const other = await kafka.openTxWriter({ transactionalId: this.#settings.names.transactionalIds.bridge })
      await other.commitBatch(again)
    })`,
    caughtBy: byBridge('a commit whose end is not known and that was made: nothing is lost'),
  },
  {
    name: 'what was taken before a stop is not written',
    file: writer,
    find: 'while (!signal.aborted || this.queue.count > 0) {',
    replace: 'while (!signal.aborted) {',
    caughtBy: byBridge('writes what was taken before a stop'),
  },
  {
    name: 'a Tick does not say where the log stands',
    file: writer,
    find: "encodeLogRecord({ kind: 'Tick', pos, at: this.#durable })",
    replace: "encodeLogRecord({ kind: 'Tick', pos, at: { ...this.#durable, seq: 0n } })",
    caughtBy: byBridge('writes a Tick when nothing else comes, that carries where the log stands'),
  },
  {
    name: 'nothing else is heard while messages wait',
    file: 'bridge/zeromq.ts',
    find: 'if (++this.#receivedInTurn >= limits.receivesPerTurn) {',
    replace: 'if (++this.#receivedInTurn < 0) {',
    caughtBy: byLink('lets other things be heard while messages wait by the hundred'),
  },
  {
    name: 'the queue has no bound',
    file: term,
    find: 'if (queue.full && !this.#mustHear(source)) {',
    replace: 'if (queue.full && queue.count < 0) {',
    caughtBy: byBridge('reads no further than its queue goes while nothing can be written'),
  },
  {
    name: 'a full queue is deaf to the clock that it waits for',
    file: term,
    find: "return source === 'live' && this.#guard.waiting && this.#link.replays",
    replace: "return source === 'live' && this.#guard.waiting && !this.#link.replays",
    caughtBy: byBridge('hears the engine’s clock though its queue is full'),
  },
  {
    name: 'a queue is never full by bytes',
    file: 'bridge/bounded-queue.ts',
    find: ' || this.#bytes >= this.#maxBytes',
    replace: '',
    caughtBy: unit('bridge/bounded-queue.unit.test.ts')('is full by count or by bytes'),
  },
]

/** One leads; whoever leads has fenced the others, and starts from what they left. */
const leading: readonly Mutant[] = [
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

/** pos only rises, and a wrong clock stays out of it. */
const time: readonly Mutant[] = [
  {
    name: 'pos is what the clock says',
    file: writer,
    find: 'nowUs > this.#pos ? nowUs : this.#pos + 1n',
    replace: 'nowUs',
    caughtBy: byBridge('stamps above the last pos though the clock went back'),
  },
  {
    name: 'no stamp waits for proof',
    file: writer,
    find: 'if (!this.#guard.needsProof(this.#pos, nowUs)) return true',
    replace: 'if (nowUs > 0n) return true',
    caughtBy: byBridge('a bridge refuses to stamp by a clock that the broker contradicts'),
  },
  {
    name: 'a jump of the clock is not noticed',
    file: clock,
    find: 'return nowUs - pos > jumpUs || distance',
    replace: 'return distance',
    caughtBy: byClock('only when it moves pos by more than the limit'),
  },
  {
    name: 'a creeping clock is not noticed',
    file: clock,
    find: ' || distance(nowUs, expectedUs) > jumpUs',
    replace: '',
    caughtBy: byClock('when small steps have led the clock away from the time that passed'),
  },
  {
    name: "the engine's clock is not asked",
    file: clock,
    find: "if ((await this.#engineAgrees(signal)) === 'silent') return 'silent'",
    replace: "if (signal.aborted) return 'silent'",
    caughtBy: byClock('fails when our clock is'),
  },
  {
    name: "an old heartbeat tells the engine's time",
    file: clock,
    find: 'return ageMs > limits.freshMs ? null : this',
    replace: 'return ageMs < 0 ? null : this',
    caughtBy: byClock('is no proof without a heartbeat, or with an old one'),
  },
  {
    name: "a stranger's heartbeat tells the engine's time",
    file: term,
    find: "source === 'live' && !effects.some(({ kind }) => kind === 'drop'))",
    replace: "source === 'live')",
    caughtBy: byBridge('stamps nothing by the clock of a stranger'),
  },
  {
    name: "the broker's clock is not asked",
    file: clock,
    find: '    await this.#brokerAgrees()\n',
    replace: '',
    caughtBy: byClock('fails when engine and we agree but the broker does not'),
  },
]

/** A command acts once, where it was meant. */
const operators: readonly Mutant[] = [
  {
    name: "a command's offset is not committed with its answer",
    file: writer,
    find: commit,
    replace: 'await this.#writer.commitBatch({ records })',
    caughtBy: byCommands('is answered once, who and why are kept, and its offset moves with its answer'),
  },
  {
    name: 'an id may act twice',
    file: commands,
    find: 'if (this.#seen.has(command.id)) return',
    replace: "if (command.id === '') return",
    caughtBy: byCommands('sent twice acts once, also when another bridge, or a later term, reads the second'),
  },
  {
    name: 'ids of earlier terms are not known',
    file: commands,
    find: 'const seen = await readSeen({ fetcher, topic: topics.commands, low: bounds.low, end: offset })',
    replace: 'const seen = new Set<string>()',
    caughtBy: byCommands('sent twice acts once, also when another bridge, or a later term, reads the second'),
  },
  {
    name: 'a Gap is accepted though the log stands elsewhere',
    file: commands,
    find: 'if (!same(after, at)) return',
    replace: 'if (after.seq < 0n) return',
    caughtBy: byCommands('is refused when it was meant for another place, or when nothing is lost'),
  },
  {
    name: 'frames are read before the command that they wait for',
    file: term,
    find: `    // A stop that an operator has answered already must find the answer.
    await this.#commands.read
`,
    replace: '',
    caughtBy: byCommands('is found by a stop that is met before the command was read'),
  },
  {
    name: 'a Gap goes on waiting though the engine delivers',
    file: term,
    find: `        if (this.#meeting)
          this.#meet({`,
    replace: `        if (this.#meeting && effect.at.seq < 0n)
          this.#meet({`,
    caughtBy: byCommands('is refused when it was meant for another place, or when nothing is lost'),
  },
  {
    name: 'a Gap waits for ever',
    file: term,
    find: 'if (!waited.signal.aborted)',
    replace: 'if (waited.signal.aborted)',
    caughtBy: byCommands('is refused when no stop comes that it could be for'),
  },
  {
    name: 'a Gap may go back',
    file: commands,
    find: 'if (sameSession && to.seq < at.seq) return',
    replace: 'if (to.seq < 0n) return',
    caughtBy: byCommands('is refused when it would go back'),
  },
  {
    name: 'a record may be admitted that is not there',
    file: commands,
    find: 'if (asked.refusedPos > desk.pos || ',
    replace: 'if (',
    caughtBy: byCommands('that nobody can read, or that admits what is not there, is refused'),
  },
  {
    name: 'a log whose restore was cut is gone on with',
    file: commands,
    find: 'if (metadata === restoreMark.begun)',
    replace: 'if (metadata === restoreMark.begun && offset < 0n)',
    caughtBy: byCommands('a log whose restore was cut is not gone on from; once the restore is done it is'),
  },
]

/** What comes from outside. */
const edges: readonly Mutant[] = [
  {
    name: 'integers of JSON go through Number',
    file: 'bridge/dialects/exact-json.ts',
    find: '(integerOf(source) ?? new OtherNumber(source))',
    replace: '(Number.isInteger(value) ? BigInt(value) : new OtherNumber(source))',
    caughtBy: byJson('an integer beyond what a Number holds comes through exact'),
  },
  {
    name: 'of a name given twice the last counts',
    file: 'bridge/dialects/exact-json.ts',
    find: 'if (names?.has(name)) return',
    replace: 'if (names === undefined) return',
    caughtBy: byJson('a field twice'),
  },
  {
    name: 'anybody is spoken to in the clear',
    file: 'bridge/zeromq.ts',
    find: '!loopback.test(value)',
    replace: "value === ''",
    caughtBy: byLink('speaks in the clear to loopback only, unless told otherwise'),
  },
]

/** The guards of the bridge, one by one. */
export const bridgeMutants: readonly Mutant[] = [
  ...order,
  ...strangers,
  ...replays,
  ...durability,
  ...leading,
  ...time,
  ...operators,
  ...edges,
]
