import { showProgress } from './progress.ts'
import { SERVER_NAMES, type ServerName } from './settings.ts'
import { clean, down, type ServerRecord, SetupError, serviceEnvironment, stackFromFile, status, up } from './stack.ts'

const USAGE = `The servers that Settle needs, on this machine: Kafka, Cassandra and the StarRocks stand-in.

  node local/main.ts up [kafka] [cassandra] [starrocks]   start what does not run yet (all by default)
  node local/main.ts down                                 end what up started
  node local/main.ts status                               what runs and answers; exit 1 unless all of it does
  node local/main.ts env [kafka] [cassandra] [starrocks]  shell lines that tell the services where the servers are
  node local/main.ts clean                                down, and remove the data

docs/local.md tells the settings.
`

type Command = (args: readonly string[]) => Promise<number>

const COMMANDS: Record<string, Command> = {
  async up(args) {
    const servers = args.length === 0 ? SERVER_NAMES : args.map(serverName)
    const stack = await up({ servers, progress: showProgress() })
    const found = servers.filter(name => !stack.started.some(id => id.startsWith(name)))
    if (stack.started.length === 0) console.log(`The stack is up already: ${found.join(', ')}`)
    else console.log(`Up: ${stack.started.join(', ')}${found.length > 0 ? `; was up: ${found.join(', ')}` : ''}`)
    for (const record of stack.servers) {
      if (record.process !== null) console.log(`  ${record.id.padEnd(12)} pid ${record.process.pid}  ${places(record)}`)
    }
    console.log(`  data and logs in ${stack.dataDir}`)
    return 0
  },

  async down() {
    const ended = await down()
    console.log(ended.length === 0 ? 'Nothing of the stack runs.' : `Down: ${ended.join(', ')}`)
    return 0
  },

  async status() {
    const servers = await status()
    if (servers.length === 0) console.log('No stack was started here.')
    for (const { id, state, record } of servers) {
      const more = record === undefined ? '' : `${places(record)}  ${record.logFile}`
      console.log(`${id.padEnd(12)} ${state.padEnd(8)} ${more}`.trimEnd())
    }
    return servers.length > 0 && servers.every(({ state }) => state === 'serving') ? 0 : 1
  },

  async env(args) {
    const stack = stackFromFile({ servers: args.length === 0 ? SERVER_NAMES : args.map(serverName) })
    for (const [name, value] of Object.entries(serviceEnvironment(stack))) {
      console.log(`export ${name}='${value}'`)
    }
    return 0
  },

  async clean() {
    console.log(`Removed ${await clean()}`)
    return 0
  },
}

function places({ address, ports }: ServerRecord): string {
  return Object.entries(ports)
    .map(([name, port]) => `${name} ${address}:${port}`)
    .join('  ')
}

function serverName(text: string): ServerName {
  const name = SERVER_NAMES.find(known => known === text)
  if (name === undefined) throw new SetupError(`There is no server '${text}', only ${SERVER_NAMES.join(', ')}.`)
  return name
}

async function main(): Promise<number> {
  const [name = '', ...args] = process.argv.slice(2)
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) {
    console.error(USAGE)
    return 2
  }
  try {
    return await command(args)
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    console.error(error.message)
    return error.exitCode
  }
}

// kafkajs hands setTimeout a negative time, which Node corrects and reports; it says nothing to whoever runs this.
process.removeAllListeners('warning')
process.on('warning', warning => {
  if (warning.name !== 'TimeoutNegativeWarning') console.error(`${warning.name}: ${warning.message}`)
})

process.exitCode = await main()
