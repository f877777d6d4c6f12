import type { Log } from '../../../runtime/log.ts'
import type { Service } from '../../../runtime/service.ts'
import { WorldLink } from '../engine/world-link.ts'
import type { World } from '../world.ts'
import type { Life } from './life.ts'
import { hear } from './hear.ts'
import { startBridge, startRepartition, startSettle } from './services.ts'
import { type Ending, Supervised } from './supervised.ts'

export type Role = 'bridge' | 'repartition' | 'settle'

/** All processes of ours, two or three of each kind. */
export class Fleet {
  readonly #world: World
  readonly #processes = new Map<Role, Supervised[]>([
    ['bridge', []],
    ['repartition', []],
    ['settle', []],
  ])
  readonly #lives = new Map<string, Life>()
  #started = 0

  constructor(world: World) {
    this.#world = world
  }

  launch(): void {
    const { settles } = this.#world.weather
    for (const role of ['bridge', 'bridge', 'repartition', 'repartition'] as const) this.add(role)
    for (let count = 0; count < settles; count++) this.add('settle')
  }

  /** One more of a kind. */
  add(role: Role): void {
    const { broker, timeline, trace } = this.#world
    const started: Supervised = new Supervised({
      name: `${role}-${++this.#started}`,
      broker,
      timeline,
      trace,
      dice: this.#world.dice(`supervisor ${this.#started}`),
      start: life => this.#start(role, life),
      onEnding: (process, ending) => this.#ended(process, ending),
    })
    this.of(role).push(started)
    started.launch()
  }

  of(role: Role): Supervised[] {
    return this.#processes.get(role) as Supervised[]
  }

  get all(): readonly Supervised[] {
    return [...this.#processes.values()].flat()
  }

  /** Whether a client's process is dead, or was stopped until others took over. */
  isZombie(client: string): boolean {
    return this.#lives.get(client)?.isZombie ?? false
  }

  #start(role: Role, life: Life): Service {
    const world = this.#world
    const { names, weather, trace, cluster, engine, timeline } = world
    this.#lives.set(life.name, life)
    const log: Log = trace.logOf(life.name, (message, fields) => hear(world, { role, life, message, fields }))
    const parts = { names, weather, log }
    switch (role) {
      case 'bridge': {
        const dice = world.dice(`link of ${life.name}`)
        const calm = { loss: 0, latencyMs: weather.live.latencyMs }
        const linkWeather = () => (world.isCalm ? calm : weather.live)
        const { awake } = life
        return startBridge(life, parts, () => new WorldLink({ engine, timeline, dice, weather: linkWeather, awake }))
      }
      case 'repartition':
        return startRepartition(life, parts)
      case 'settle':
        return startSettle(life, parts, { cluster })
    }
  }

  /** A service may fail when what it needs fails; it may refuse only what this seed did to it; it never has a bug. */
  #ended({ name }: Supervised, { code, kind, text }: Ending): void {
    const world = this.#world
    if (kind === 'may-restart') return
    if (kind === 'refused' && world.explained.has(code)) return
    world.violate(
      kind === 'refused' ? 'no service stops for good without a reason' : 'no service has a bug',
      `${name}: ${code}: ${text}`,
    )
  }
}
