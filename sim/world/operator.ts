import type { CommandRecord, CorrectionBody, EnginePosition } from '../../core/events.ts'
import { assetId, type UserId, userId } from '../../core/ids.ts'
import { KafkaFailure } from '../../runtime/kafka/port.ts'
import { MemoryCql } from '../../runtime/cql/testing/memory-cql.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import { encodeCommandRecord } from '../../schemas/codec.ts'
import { LogView } from './checks/log-view.ts'
import type { Dice } from './dice.ts'
import type { World } from './world.ts'

const roundMs = 1500

/** Who mends what the engine broke: sees what is parked or stopped, and sends commands as ops would. */
export class Operator {
  readonly #world: World
  readonly #log: LogView
  readonly #cql: CqlPort
  readonly #dice: Dice
  /** Commands sent and not yet seen answered, by id. */
  readonly #asked = new Map<string, CommandRecord>()
  readonly #sent = new Set<string>()
  /** So many records of the log were looked at for answers. */
  #heard = 0
  #ids = 0

  constructor(world: World) {
    this.#world = world
    this.#log = new LogView(world)
    this.#dice = world.dice('operator')
    const { cluster, timeline, trace } = world
    const log = trace.logOf('operator', () => {})
    this.#cql = new MemoryCql({ cluster, name: 'operator', clock: timeline, log })
  }

  /** Nothing waits for an answer. */
  get isIdle(): boolean {
    return this.#asked.size === 0
  }

  /** Works until the world ends. */
  async run(): Promise<void> {
    for (;;) {
      await this.#world.timeline.sleep(roundMs)
      this.#hearAnswers()
      for (const command of this.#asked.values()) await this.#send(command)
      await this.#acceptLoss()
      await this.#heal()
      await this.#closeEarly()
    }
  }

  #hearAnswers(): void {
    const records = this.#log.update().slice(this.#heard)
    this.#heard += records.length
    for (const record of records) {
      if (record.kind === 'Refused' && record.reason.includes('was seen before'))
        this.#world.reach('a command that was seen before was refused')
      if (!('command' in record) || !this.#asked.delete(record.command.id)) continue
      this.#world.trace.tell(
        'operator',
        `${record.command.id} was answered by a ${record.kind}${record.kind === 'Refused' ? `: ${record.reason}` : ''}`,
      )
      if (record.kind === 'Gap') this.#world.reach('a Gap was accepted')
      if (record.kind === 'Redrive') this.#world.reach('a parked user was redriven')
    }
  }

  /** The bridge has stopped because the engine no longer has what comes next. */
  async #acceptLoss(): Promise<void> {
    const { engine, explained } = this.#world
    const at = this.#log.records.at(-1)?.at
    if (!explained.has('trimmed') || !at || [...this.#asked.values()].some(({ kind }) => kind === 'Gap')) return
    const row = engine.sessions.find(at)
    if (!row || row.first + at.seq > this.#newestLost()) return
    await this.#ask({ kind: 'Gap', command: this.#command('gap'), after: at, to: null })
  }

  #newestLost(): bigint {
    return [...this.#world.engine.lost].reduce((most, index) => (index > most ? index : most), 0n)
  }

  /** Closes the holes of users that are parked, as their rows in the store say. */
  async #heal(): Promise<void> {
    const users = new Set<UserId>()
    for await (const row of this.#cql.scan('SELECT user_id FROM parked')) users.add(userId(row['user_id'] as bigint))
    for (const user of users) {
      if (this.#world.parking.now.has(user) && this.#dice.chance(0.3))
        await this.#ask({ kind: 'Redrive', command: this.#command('redrive'), user })
      for (const hole of this.#dice.shuffled(this.#log.holes(user))) {
        const key = `${user} ${hole.asset} ${hole.to}`
        if (this.#sent.has(key)) continue
        this.#sent.add(key)
        await this.#correct(this.#log.correctionOf(user, hole))
      }
    }
  }

  /** Support has told of a booking that never came: it is corrected before the next output would show the hole. */
  async #closeEarly(): Promise<void> {
    for (const { user, asset, version } of this.#world.engine.skipped) {
      const key = `${user} ${asset} ${version}`
      if (this.#sent.has(key) || this.#log.newest(user, asset) !== version - 1n || !this.#dice.chance(0.5)) continue
      this.#sent.add(key)
      const hole = { asset: assetId(asset), from: version, to: version }
      await this.#correct(this.#log.correctionOf(userId(user), hole))
      if (!this.#world.parking.now.has(user)) this.#world.reach('a Correction closed a hole before anybody was parked')
    }
  }

  async #correct(correction: CorrectionBody): Promise<void> {
    await this.#ask({ kind: 'Correct', command: this.#command('correct'), correction })
  }

  #command(what: string): CommandRecord['command'] {
    const time = this.#world.timeline.nowUs()
    return { id: `${what}-${++this.#ids}`, who: 'operator', why: 'a seed', time }
  }

  async #ask(command: CommandRecord): Promise<void> {
    this.#asked.set(command.command.id, command)
    await this.#send(command)
    // An operator who is not sure asks again.
    if (!this.#dice.chance(0.3)) return
    this.#world.reach('a command was sent twice')
    await this.#send(command)
  }

  async #send(command: CommandRecord): Promise<void> {
    const { broker, names, trace, timeline } = this.#world
    trace.tell('operator', `sends ${command.kind} ${command.command.id}${shown(command)}`)
    try {
      const writer = await broker.client('operator').openTxWriter({ transactionalId: names.transactionalIds.commands })
      const [topic, value] = [names.topics.commands, encodeCommandRecord(command)]
      await writer.commitBatch({
        records: [{ topic, partition: 0, key: null, value, timestampMs: timeline.nowUs() / 1000n }],
      })
    } catch (error) {
      if (!(error instanceof KafkaFailure)) throw error
    }
  }
}

const shown = (command: CommandRecord): string => {
  switch (command.kind) {
    case 'Gap':
      return ` after ${placeText(command.after)}`
    case 'Correct':
      return ` of user ${command.correction.user}, asset ${command.correction.asset}, version ${command.correction.version}`
    case 'Admit':
      return ` of pos ${command.refusedPos}`
    case 'Redrive':
      return ` of user ${command.user}`
    case 'Note':
      return `: ${command.text}`
  }
}

const placeText = ({ epoch, seq }: EnginePosition): string => `session ${epoch} seq ${seq}`
