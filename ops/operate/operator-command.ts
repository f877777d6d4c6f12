import { randomUUID } from 'node:crypto'
import { Command } from 'commander'
import type { Command as CommandHead, CommandRecord } from '../../core/events.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import { checkStore } from '../../runtime/cql/stream-meta.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { namesOf, type StreamNames } from '../../runtime/names.ts'
import { parseSettings } from '../../runtime/settings.ts'
import type { CommandContext } from '../command.ts'
import { openPlaces } from '../places.ts'
import { opsSettings, storeSettings } from '../settings.ts'
import { openStderrLog } from '../stderr-log.ts'
import { parseId, parseWaitMs, parseWho, parseWhy } from './arguments.ts'
import { operate } from './operate.ts'

/** What a command looks at before anything is sent. */
export type OperatorPlaces = {
  readonly kafka: KafkaPort
  readonly names: StreamNames
  readonly partitions: number
  /** The stream's own keyspace, checked; the caller closes it. */
  readonly openCql: () => Promise<CqlPort>
  /** A line for whoever waits. */
  readonly progress: (text: string) => void
}

/** What would be sent, and what an operator must see before it is. */
export type Plan = {
  readonly record: CommandRecord
  readonly text: string
  /** The same for machines. */
  readonly facts: Readonly<Record<string, unknown>>
}

export type OperatorRequest = {
  /** True for a record that asks for the same; who, why and time apart. */
  readonly isSame: (record: CommandRecord, places: OperatorPlaces) => Promise<boolean>
  /**
   * `waiting`: commands that no bridge has come to yet.
   * @throws Stop when it can't be done, or must not be
   */
  readonly plan: (places: OperatorPlaces, command: CommandHead, waiting: readonly CommandRecord[]) => Promise<Plan>
  /**
   * What this process does itself once the command stands in the topic, also when it was sent before: so it must see
   * by itself whether it was done. Resolves with what it did, in words.
   */
  readonly effect?: (places: OperatorPlaces, record: CommandRecord) => Promise<string>
}

type SendingOptions = {
  readonly who: string
  readonly why: string
  readonly id?: string
  readonly dryRun?: true
  readonly json?: true
  readonly waitMs: number
}

/** One `settle` command that asks something of the bridge; each begins with what all of them take. */
export const operatorCommand = (
  { env, out, err, clock, exitWith }: CommandContext,
  spec: {
    readonly name: string
    readonly description: string
    readonly example: string
    readonly arguments: (command: Command) => Command
    /** What is asked, from the command's own arguments. */
    readonly request: (command: Command) => OperatorRequest
  },
): Command =>
  spec
    .arguments(new Command(spec.name).description(spec.description))
    .requiredOption('--who <name>', 'who gives the command; kept for ever', parseWho)
    .requiredOption('--why <text>', 'why; kept for ever', parseWhy)
    .option('--id <id>', 'the same id acts once: give it again to look again (default: a new one)', parseId)
    .option('--dry-run', 'show what would be sent, and send nothing')
    .option('--wait-ms <n>', "wait so long for the bridge's answer; 0: do not wait", parseWaitMs, 60_000)
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      `\nExample:\n  ${spec.example}\n\nExit codes: 0 done, 1 no answer yet or a failure, 2 arguments, 3 refused.`,
    )
    .showHelpAfterError(`(settle ${spec.name} --help shows an example)`)
    .action(async (options: SendingOptions, command: Command) => {
      const settings = parseSettings({ ...opsSettings, ...storeSettings }, env)
      const names = namesOf(settings.STREAM)
      await using places = openPlaces({ settings, log: openStderrLog(settings.LOG_LEVEL), clock })
      const { who, why, id = randomUUID(), dryRun, json, waitMs } = options
      const exitCode = await operate({
        name: spec.name,
        places: {
          kafka: places.kafka,
          names,
          partitions: settings.PARTITIONS,
          openCql: async () => {
            const cql = await places.openCql({ keyspace: names.keyspace })
            try {
              await checkStore(cql, { stream: names.stream, partitions: settings.PARTITIONS, keyspace: names.keyspace })
              return cql
            } catch (error) {
              await cql.close()
              throw error
            }
          },
          progress: err,
        },
        clock,
        out,
        request: spec.request(command),
        command: { id, who, why, time: clock.nowUs() },
        mode: dryRun ? 'dry-run' : 'send',
        format: json ? 'json' : 'text',
        waitMs,
      })
      exitWith(exitCode)
    })
