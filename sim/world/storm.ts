import type { Dice } from './dice.ts'
import type { Role } from './processes/fleet.ts'
import type { Supervised } from './processes/supervised.ts'
import type { World } from './world.ts'

type Act = { readonly weight: number; readonly run: (storm: Storm) => void }

/** Everything that goes wrong at random while the engine trades, planned event by event. */
export class Storm {
  readonly world: World
  readonly dice: Dice
  readonly #acts: readonly Act[]
  #isOver = false

  constructor(world: World) {
    this.world = world
    this.dice = world.dice('storm')
    this.#acts = [...acts, ...[...world.weather.perils].map(peril => perilActs[peril])]
  }

  get isOver(): boolean {
    return this.#isOver
  }

  begin(): void {
    this.#trade()
    this.#strike()
  }

  /** Nothing new goes wrong; what went wrong is mended. */
  end(): void {
    const { fleet, cluster, timeline, trace, engine } = this.world
    this.#isOver = true
    this.world.isCalm = true
    trace.tell('world', 'calm')
    for (const process of fleet.all) {
      process.skewUs = 0n
      process.thaw()
      process.launch()
    }
    for (const node of cluster.nodes) {
      node.reconnect()
      timeline.after(1, () => node.restart(cluster.nowS))
    }
    if (!engine.isUp) engine.start()
  }

  #trade(): void {
    if (this.#isOver) return
    const { engine, timeline, weather } = this.world
    if (engine.isUp) engine.trade()
    timeline.after(this.dice.between(1, weather.outputMs * 2), () => this.#trade())
  }

  #strike(): void {
    if (this.#isOver) return
    const { timeline, weather } = this.world
    timeline.after(this.dice.between(1, weather.chaosMs * 2), () => {
      if (this.#isOver) return
      let at = this.dice.below(this.#acts.reduce((sum, { weight }) => sum + weight, 0))
      this.#acts.find(({ weight }) => (at -= weight) < 0)?.run(this)
      this.#strike()
    })
  }

  /** One process of any kind; settle is where most can go wrong. */
  process(): Supervised | undefined {
    const role: Role = this.dice.pick(['bridge', 'repartition', 'settle', 'settle'])
    return this.dice.pick(this.world.fleet.of(role))
  }

  tell(fault: string, text: string = fault): void {
    this.world.fault(fault)
    this.world.trace.tell('storm', text)
  }
}

const acts: readonly Act[] = [
  {
    weight: 6,
    run: storm => {
      storm.world.fault('process killed')
      kill(storm)
    },
  },
  {
    weight: 6,
    run: storm => {
      storm.world.fault('process stopped for a while')
      storm.process()?.freeze(storm.dice.between(200, 7000))
    },
  },
  {
    weight: 3,
    run: storm => {
      storm.world.fault('process asked to end')
      storm.process()?.stop()
    },
  },
  {
    weight: 3,
    run: storm => {
      storm.world.fault('member thrown out')
      storm.world.reach('a member was thrown out of its group and went on')
      storm.process()?.expel(storm.dice.between(50, 4000))
    },
  },
  { weight: 4, run: storm => rebalance(storm) },
  { weight: 2, run: storm => scale(storm) },
  { weight: 4, run: storm => cutOff(storm) },
  { weight: 2, run: storm => restartNode(storm) },
  { weight: 2, run: storm => restartEngine(storm) },
]

const perilActs = {
  'power-loss': { weight: 3, run: storm => losePower(storm, 1) },
  'power-loss-of-all': { weight: 2, run: storm => losePower(storm, 3) },
  'skipped-version': { weight: 3, run: storm => skipVersion(storm) },
  'lost-journal': { weight: 4, run: storm => loseJournal(storm) },
  'clock-jump': { weight: 4, run: storm => jumpClock(storm) },
} as const satisfies Readonly<Record<string, Act>>

const kill = (storm: Storm): void => {
  const { broker, names } = storm.world
  const process = storm.process()
  const id = process?.name.startsWith('bridge') ? names.transactionalIds.bridge : names.transactionalIds.repartition
  if (!process?.name.startsWith('settle') && broker.producer(id).isOpen)
    storm.world.reach('a process died with its transaction open')
  process?.kill()
}

const rebalance = (storm: Storm): void => {
  const { broker, names } = storm.world
  const group = storm.dice.pick([
    names.groups.settle,
    names.groups.settle,
    names.groups.bridge,
    names.groups.repartition,
  ])
  storm.tell('group rebalanced', `group ${group} rebalances`)
  broker.group(group).rebalance()
}

const scale = (storm: Storm): void => {
  const { fleet } = storm.world
  const running = fleet.of('settle')
  if (running.length < 4 && storm.dice.chance(0.5)) {
    storm.tell('settle scaled out')
    storm.world.reach('settle scaled out')
    fleet.add('settle')
  } else if (running.length > 1) {
    storm.tell('settle scaled in')
    storm.world.reach('settle scaled in')
    running.splice(storm.dice.below(running.length), 1)[0]?.retire()
  }
}

/** At most one node is away at a time, but for a loss of power of all. */
const healthy = ({ world, dice }: Storm) => {
  const { nodes } = world.cluster
  return nodes.every(node => node.isUp) ? dice.pick(nodes) : undefined
}

const cutOff = (storm: Storm): void => {
  const node = healthy(storm)
  if (!node) return
  const ms = storm.dice.between(100, 6000)
  storm.tell('node cut off', `${node.name} is cut off for ${ms} ms`)
  node.cutOff()
  storm.world.timeline.after(ms, () => node.reconnect())
}

const restartNode = (storm: Storm): void => {
  const node = healthy(storm)
  if (!node) return
  const ms = storm.dice.between(300, 4000)
  storm.tell('node restarted', `${node.name} is killed and starts again in ${ms} ms`)
  storm.world.reach('a node restarted and its writes stayed')
  node.kill()
  storm.world.timeline.after(ms, () => node.restart(storm.world.cluster.nowS))
}

const losePower = (storm: Storm, count: number): void => {
  const { cluster, timeline } = storm.world
  if (!cluster.nodes.every(node => node.isUp)) return
  for (const node of storm.dice.shuffled(cluster.nodes).slice(0, count)) {
    const lost = node.losePower()
    const ms = storm.dice.between(300, 4000)
    storm.tell('node lost its power', `${node.name} loses its power and ${lost} writes, and starts again in ${ms} ms`)
    if (lost > 0) storm.world.reach(count === 1 ? 'a power loss took writes' : 'a power loss of all nodes took writes')
    timeline.after(ms, () => node.restart(cluster.nowS))
  }
}

const restartEngine = (storm: Storm): void => {
  const { engine, timeline } = storm.world
  if (!engine.isUp) return
  const how = storm.dice.pick(['orderly', 'killed'] as const)
  storm.tell('engine restarted', `the engine ends (${how}) after ${engine.sent} outputs`)
  if (how === 'killed') storm.world.reach('the engine ended without a last word')
  engine.stop(how)
  timeline.after(storm.dice.between(50, 3000), () => {
    if (engine.isUp) return
    storm.world.trace.tell('engine', 'begins a new session')
    if (engine.acked < engine.sent) storm.world.reach('the engine began a session while the bridge was behind')
    engine.start()
  })
}

const skipVersion = (storm: Storm): void => {
  const { engine, weather } = storm.world
  if (!engine.isUp || engine.sent < 5n) return
  const user = BigInt(storm.dice.between(1, weather.users))
  const asset = storm.dice.pick(engine.assets)
  if (!asset) return
  storm.tell('version skipped', `the engine books a deposit of user ${user}, asset ${asset.asset}, and never says so`)
  engine.deposit(user, asset.asset, 1_000_000n, 'skipped')
}

/** Some break while everything is durable, most at the worst moment: when the bridge has fallen behind. */
const loseJournal = (storm: Storm): void => {
  const { dice } = storm
  const keep = dice.between(0, 3)
  if (dice.chance(0.2)) breakJournal(storm, keep)
  else breakWhenBehind(storm, keep, 100)
}

const breakWhenBehind = (storm: Storm, keep: number, looks: number): void => {
  const { engine, timeline } = storm.world
  const isBehind = engine.sent - engine.acked >= BigInt(keep + 4)
  if (isBehind || looks === 0) breakJournal(storm, keep)
  else timeline.after(100, () => breakWhenBehind(storm, keep, looks - 1))
}

const breakJournal = (storm: Storm, keep: number): void => {
  const { engine, explained } = storm.world
  // No Gap can stand for the reference data: a stream that lost it before its log had it has not begun.
  if (storm.isOver || engine.acked === 0n) return
  const unread = engine.loseJournal(keep)
  storm.tell('journal lost', `the engine's disk loses its journal, with ${unread} outputs that nobody acknowledged`)
  if (unread === 0n) return
  explained.add('trimmed')
  storm.world.reach('outputs were trimmed before they were read')
}

const jumpClock = (storm: Storm): void => {
  const { explained, timeline } = storm.world
  // Only a bridge's clock goes anywhere.
  const process = storm.dice.pick(storm.world.fleet.of('bridge'))
  if (!process) return
  const ms = storm.dice.pick([-1, 1]) * storm.dice.pick([500, 15_000, 45_000, 3_600_000])
  storm.tell('clock jumped', `the clock of ${process.name} jumps by ${ms} ms`)
  explained.add('clock-in-doubt')
  process.skewUs += BigInt(ms) * 1000n
  timeline.after(storm.dice.between(500, 8000), () => {
    storm.world.trace.tell('storm', `the clock of ${process.name} is set right`)
    process.skewUs = 0n
  })
}
