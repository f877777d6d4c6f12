import type { Mutant } from './mutant.ts'

const writes = 'test/int/kafka-writer-faults.int.test.ts'
const reader = 'test/int/kafka-reader-faults.int.test.ts'
const writer = 'runtime/kafka/tx-writer.ts'
const threaded = 'runtime/kafka/threaded-tx-writer.ts'
const membership = 'runtime/kafka/membership.ts'
const unit = (file: string, test: string): Mutant['caughtBy'] => ({ project: 'unit', file, test })
const writerTest = (test: string) => unit('runtime/kafka/tx-writer.unit.test.ts', `a transactional writer ${test}`)
const threadTest = (test: string) =>
  unit('runtime/kafka/threaded-tx-writer.unit.test.ts', `a writer in a thread of its own ${test}`)
const int = (test: string): Mutant['caughtBy'] => ({
  project: 'int',
  file: test.startsWith('a member') || test.startsWith('reading') ? reader : writes,
  test,
})
const contract = (test: string): Mutant['caughtBy'] => ({ project: 'int', file: 'test/int/kafka.int.test.ts', test })

/** The guards of runtime/kafka, one by one. */
export const kafkaMutants: readonly Mutant[] = [
  {
    name: 'a writer that opens fences nobody',
    file: writer,
    find: `      const transaction = await producer.transaction()
      await transaction.abort()
`,
    replace: '',
    caughtBy: int('a fence happens when the writer opens, before it has written anything'),
  },
  {
    name: 'a second operation begins while one is under way',
    file: writer,
    find: "if (this.#state !== 'open') throw",
    replace: "if (this.#state === 'spent') throw",
    caughtBy: writerTest('has one operation under way, and refuses another meanwhile'),
  },
  {
    name: 'a writer goes on after an error',
    file: writer,
    find: `      this.#spend()
      throw classifyWrite`,
    replace: `      this.#state = 'open'
      throw classifyWrite`,
    caughtBy: writerTest('is spent by its first error'),
  },
  {
    name: 'what a spent writer still retries goes out',
    file: writer,
    find: `    this.#state = 'spent'
    this.#client.cut()`,
    replace: `    this.#state = 'spent'`,
    caughtBy: writerTest('is spent by its first error'),
  },
  {
    name: 'acknowledgements are not looked at',
    file: writer,
    find: '    checkAcks(records, acks)\n',
    replace: '',
    caughtBy: writerTest('commits nothing when of the acknowledgements one is missing'),
  },
  {
    name: 'an acknowledgement may say an error',
    file: writer,
    find: 'errorCode !== 0 || !expected',
    replace: '!expected',
    caughtBy: writerTest('commits nothing when of the acknowledgements one says an error'),
  },
  {
    name: 'an acknowledgement may come twice',
    file: writer,
    find: '!expected.delete(`${topicName}-${partition}`)',
    replace: '(expected.delete(`${topicName}-${partition}`), false)',
    caughtBy: writerTest('commits nothing when of the acknowledgements one came twice'),
  },
  {
    name: 'a commit lasts as long as kafkajs retries',
    file: writer,
    find: 'await within(this.#limits.commitMs, doing, work(over.signal))',
    replace: 'await work(over.signal)',
    caughtBy: {
      project: 'unit',
      file: 'runtime/kafka/tx-writer.unit.test.ts',
      test: 'gives up a broker that does not answer, within the limit',
    },
  },
  {
    name: 'a fence lasts as long as kafkajs retries',
    file: writer,
    find: 'await within(limits.openWriterMs, doing, fence())',
    replace: 'await fence()',
    caughtBy: writerTest('gives up a broker that does not answer its fence'),
  },
  {
    name: 'a writer writes until its sequences wrap',
    file: writer,
    find: 'if (this.#written > maxRecordsPerWriter) {',
    replace: 'if (this.#written < 0) {',
    caughtBy: writerTest('is to be replaced before the sequence of a partition wraps'),
  },
  {
    name: 'a thread that ends with a transaction in its hands is waited for',
    file: threaded,
    find: '    this.#answer.reject(new Error(`its thread ${why}`))\n',
    replace: '    if (why === "") this.#answer.resolve(null)\n',
    caughtBy: threadTest('whose thread ends with a transaction in its hands is in doubt'),
  },
  {
    name: 'a thread that ends with a transaction in its hands has committed it',
    file: threaded,
    find: 'this.#answer.reject(new Error(`its thread ${why}`))',
    replace: 'this.#answer.resolve(why === "" ? new ArrayBuffer(0) : null)',
    caughtBy: threadTest('whose thread ends with a transaction in its hands is in doubt'),
  },
  {
    name: 'a thread that hangs is waited for',
    file: threaded,
    find: 'await within(commitMs + threadMs, doing, this.#answer.promise)',
    replace: 'await this.#answer.promise',
    caughtBy: threadTest('whose thread hangs with a transaction in its hands is in doubt'),
  },
  {
    name: 'a thread that hangs may wake up later',
    file: threaded,
    find: `      await this.#end()
      // In there`,
    replace: `      this.#state = 'spent'
      // In there`,
    caughtBy: threadTest('whose thread hangs with a transaction in its hands is in doubt'),
  },
  {
    name: 'what a thread failed of is forgotten on the way',
    file: threaded,
    find: 'new KafkaFailure(said.failure, said.message)',
    replace: "new KafkaFailure('unknown', said.message)",
    caughtBy: threadTest('that failed is fenced as it was in there'),
  },
  {
    name: 'a commit that failed in a thread may be asked again',
    file: threaded,
    find: "error instanceof KafkaFailure && error.kind === 'unknown' ? error",
    replace: 'error instanceof KafkaFailure ? error',
    caughtBy: threadTest('whose thread says what it may not with a transaction in its hands is in doubt'),
  },
  {
    name: 'a second operation begins while a thread has one under way',
    file: threaded,
    find: "    if (this.#state !== 'open')\n      throw",
    replace: "    if (this.#state === 'spent')\n      throw",
    caughtBy: threadTest('has one operation under way, and refuses another meanwhile'),
  },
  {
    name: 'a thread stays when its writer is closed',
    file: threaded,
    find: `ended).catch(() => {})
    }
    await this.#end()`,
    replace: `ended).catch(() => {})
    }`,
    caughtBy: threadTest('leaves no thread behind when it is closed, whatever that does: nothing'),
  },
  {
    name: 'on its way to a thread a record loses its partition',
    file: 'runtime/kafka/batch-slab.ts',
    find: 'ints[head++] = partition',
    replace: 'ints[head++] = Math.min(partition, 0)',
    caughtBy: unit('runtime/kafka/batch-slab.unit.test.ts', 'a batch is the same on the other side'),
  },
  {
    name: 'topics are created by being named',
    file: writer,
    find: 'allowAutoTopicCreation: false',
    replace: 'allowAutoTopicCreation: true',
    caughtBy: writerTest('fences when it opens'),
  },
  {
    name: 'a lost answer is taken for a failure',
    file: 'runtime/kafka/classify.ts',
    find: "      return failure('unknown', error, doing, '')",
    replace: '      return found',
    caughtBy: int('a transaction whose answer to EndTxn is lost with the connection is unknown'),
  },
  {
    name: 'a fenced writer is not told from one in doubt',
    file: 'runtime/kafka/classify.ts',
    find: "  if (fenced.has(type)) return 'fenced'\n",
    replace: '',
    caughtBy: int('a fence happens when the writer opens, before it has written anything'),
  },
  {
    name: 'a member that is out is told to ask again',
    file: 'runtime/kafka/classify.ts',
    find: "  if (superseded.has(type)) return 'superseded'\n",
    replace: '',
    caughtBy: unit('runtime/kafka/classify.unit.test.ts', 'UNKNOWN_MEMBER_ID is superseded'),
  },
  {
    name: 'an offset outside the log is asked for again for ever',
    file: 'runtime/kafka/classify.ts',
    find: "if (type === 'OFFSET_OUT_OF_RANGE' || error.name === 'KafkaJSOffsetOutOfRange') return 'out-of-range'",
    replace: '',
    caughtBy: contract('a fetcher says when an offset is beyond the topic, and serves the other partitions'),
  },
  {
    name: 'a certificate that does not hold is tried for ever',
    file: 'runtime/kafka/classify.ts',
    find: "  if (refusal(error)) return 'fatal'\n",
    replace: '',
    caughtBy: unit('runtime/kafka/classify.unit.test.ts', 'what the client itself reports'),
  },
  {
    name: 'administration is asked several things at once',
    file: 'runtime/kafka/admin.ts',
    find: 'this.#atHand.then(() => this.#useNow(doing, action))',
    replace: 'this.#useNow(doing, action)',
    caughtBy: contract('what is asked about a topic is answered the same while others are asked about'),
  },
  {
    name: "any broker's certificate will do",
    file: 'runtime/kafka/client.ts',
    find: 'rejectUnauthorized: true',
    replace: 'rejectUnauthorized: false',
    caughtBy: {
      project: 'int',
      file: 'test/int/kafka-security.int.test.ts',
      test: 'a broker of another authority is refused, and fatal',
    },
  },
  {
    name: 'name and password are not passed on',
    file: 'runtime/kafka/client.ts',
    find: '    ...(sasl ? { sasl: sasl as SASLOptions } : {}),\n',
    replace: '',
    caughtBy: { project: 'int', file: 'test/int/kafka-security.int.test.ts', test: 'SASL plain over TLS too' },
  },
  {
    name: 'half an answer is kept for the next connection',
    file: 'runtime/kafka/client.ts',
    find: "listen(event, event === 'data' ? wholeFrames(listener) : listener)",
    replace: 'listen(event, listener)',
    caughtBy: int('reading goes on after an answer that broke off, as if it had never begun'),
  },
  {
    name: 'a request waits for its answer as long as kafkajs usually does',
    file: 'runtime/kafka/client.ts',
    find: 'requestTimeout: limits.requestMs',
    replace: 'requestTimeout: 30_000',
    caughtBy: int('a transaction whose answer to EndTxn comes after the request timeout is unknown'),
  },
  {
    name: 'a password may go anywhere without TLS',
    file: 'runtime/kafka/security.ts',
    find: "KAFKA_SASL_WITHOUT_TLS === 'refused')",
    replace: 'far.length < 0)',
    caughtBy: unit('runtime/kafka/security.unit.test.ts', 'without TLS a password goes to loopback'),
  },
  {
    name: 'a commit may outlive its transaction',
    file: 'runtime/kafka/limits.ts',
    find: 'commitMs <= transactionMs ||',
    replace: 'commitMs > 0 ||',
    caughtBy: unit('runtime/kafka/limits.unit.test.ts', 'does not fit'),
  },
  {
    name: 'a connection that could not be made is never made again',
    file: 'runtime/kafka/admin.ts',
    find: '      if (!wasAnswered(error)) this.#drop(used)\n',
    replace: '',
    caughtBy: int('reading what could not be asked while the door was closed can be asked once it is open'),
  },
  {
    name: 'an empty window is taken for an empty log',
    file: 'runtime/kafka/kafka.ts',
    find: 'if (found.length >= count || from === bounds.low) return found',
    replace: 'return found',
    caughtBy: int('reading finds the tail behind aborted data, though connections are cut all the while'),
  },
  {
    name: "the writer's time is taken for the broker's",
    file: 'runtime/kafka/clock-probe.ts',
    find: 'if (stamped === notStamped)',
    replace: "if (stamped === 'never')",
    caughtBy: contract('is not to be had from a topic that keeps the time of its writers'),
  },
  {
    name: 'partitions of a member are not paused',
    file: membership,
    find: '      consumer.pause([{ topic, partitions }])\n',
    replace: '',
    caughtBy: int('a member fetches nothing'),
  },
  {
    name: 'a member that the group refused is believed to have joined',
    file: membership,
    find: '    await this.#first.promise\n',
    replace: '',
    caughtBy: int('a member that the group refuses is told so by join'),
  },
  {
    name: 'a member that hears the group again stays without what it gave up',
    file: membership,
    find: '      if (this.#isSilent) this.#assign(this.#granted)\n',
    replace: '',
    caughtBy: unit(
      'runtime/kafka/membership.unit.test.ts',
      'a member whose heartbeats are answered again has what it gave up while they were not',
    ),
  },
  {
    name: 'a member that hears nothing goes on',
    file: membership,
    find: '      this.#isSilent = true\n      this.#assign([])',
    replace: '      this.#isSilent = true',
    caughtBy: int('a member that hears nothing for a session is told that it owns nothing'),
  },
  {
    name: 'a deaf connection is kept',
    file: membership,
    find: `    this.#heardMs = performance.now()
    this.#client.reset()`,
    replace: '    this.#heardMs = performance.now()',
    caughtBy: int('a member whose answer to a rebalance never comes gets another connection, and its place back'),
  },
  {
    name: 'a commit is taken under whatever assignment there is',
    file: membership,
    find: 'if (assignment !== this.#current || this.#left)',
    replace: 'if (this.#left)',
    caughtBy: contract('shares partitions, and a commit under an assignment that is over is refused'),
  },
  {
    name: 'a member believes itself',
    file: membership,
    find: 'return memberId === this.#memberId && !this.#left',
    replace: 'return this.#memberId !== null && !this.#left',
    caughtBy: contract('the owner of a partition is who the coordinator says'),
  },
  {
    name: 'a goodbye waits for ever',
    file: membership,
    find: 'await within(this.#limits.closeMs, `leave group ${this.#options.group}`, goodbyes).catch(() => {})',
    replace: 'await goodbyes',
    caughtBy: int('a member leaves in bounded time though the broker is silent'),
  },
  {
    name: 'a record with headers is read as one without',
    file: 'runtime/kafka/decode-record.ts',
    find: 'headers !== 0 || ',
    replace: '',
    caughtBy: unit('runtime/kafka/decode-record.unit.test.ts', 'a record is what kafkajs reads in it'),
  },
  {
    name: 'kafkajs groups a batch by itself',
    file: 'runtime/kafka/kafkajs.ts',
    find: 'if (module) module.exports = ours(own)',
    replace: 'if (!module) throw ours(own)',
    caughtBy: unit('runtime/kafka/kafkajs.unit.test.ts', 'a producer goes through its messages once'),
  },
  {
    name: 'a partition gets its records in another order',
    file: 'runtime/kafka/group-messages.ts',
    find: '??= []).push(message)',
    replace: '??= []).unshift(message)',
    caughtBy: unit('runtime/kafka/kafkajs.unit.test.ts', 'a producer sends each partition its messages'),
  },
]
