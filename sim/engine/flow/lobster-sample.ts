import { Random } from './random.ts'

export type LobsterSample = {
  readonly seed: bigint
  readonly messages: number
}

type Resting = { readonly id: number; readonly direction: 1 | -1; readonly price: number; size: number }

const tick = 100
const firstSecond = 34_200
/** The sample's market is no deeper, so that looking for its best order stays cheap. */
const maxResting = 400

/**
 * The lines of a flow file in the LOBSTER message format, made from a seed: a market that is consistent in itself, with
 * some hidden executions, halts and messages about orders from before the file, as recorded files have them.
 */
export function* lobsterSample({ seed, messages }: LobsterSample): Generator<string> {
  const market = new SampleMarket()
  let micros = firstSecond * 1_000_000
  for (let step = 0; step < messages; step++) {
    const random = new Random({ seed, step })
    micros += random.below(40_000)
    const time = `${Math.floor(micros / 1_000_000)}.${`${micros % 1_000_000}`.padStart(6, '0')}${random.below(1000) + 1000}`
    yield `${time},${market.message(random)}`
  }
}

class SampleMarket {
  #middle = 5_000_000
  #nextId = 16_000_001
  #resting: Resting[] = []

  message(random: Random): string {
    const roll = random.below(100)
    if (roll < 2) return `5,0,${random.between(1, 200)},${this.#middle},${random.below(2) === 0 ? 1 : -1}`
    if (roll < 3) return '7,0,0,-1,-1'
    if (roll < 5) return `${random.between(2, 4)},${random.between(1, 10_000)},100,${this.#middle},1`
    const isFull = this.#resting.length >= maxResting
    if (!isFull && (roll < 52 || this.#resting.length < 20)) return this.#submit(random)
    if (roll < 60) return this.#reduce(random)
    if (roll < 82) return this.#cancel(random)
    return this.#execute(random)
  }

  #submit(random: Random): string {
    this.#middle += tick * random.between(-2, 2)
    const direction = random.below(2) === 0 ? 1 : -1
    const away = tick * random.between(1, 40)
    const wanted = direction === 1 ? this.#middle - away : this.#middle + away
    const opposite = this.#best(direction === 1 ? -1 : 1)
    // A submission rests: what would trade at once is recorded as an execution.
    const price = opposite ? beside(wanted, opposite.price, direction) : wanted
    const order: Resting = { id: this.#nextId++, direction, price, size: 10 * random.between(1, 50) }
    this.#resting.push(order)
    return line(1, order, order.size)
  }

  #reduce(random: Random): string {
    const order = this.#any(random)
    if (order.size < 20) return this.#remove(order, 3, order.size)
    const size = random.between(1, order.size - 1)
    order.size -= size
    return line(2, order, size)
  }

  #cancel(random: Random): string {
    const order = this.#any(random)
    return this.#remove(order, 3, order.size)
  }

  #execute(random: Random): string {
    const order = this.#best(random.below(2) === 0 ? 1 : -1) ?? this.#any(random)
    if (random.below(2) === 0 || order.size < 2) return this.#remove(order, 4, order.size)
    const size = random.between(1, order.size - 1)
    order.size -= size
    return line(4, order, size)
  }

  #any(random: Random): Resting {
    return this.#resting[random.below(this.#resting.length)] as Resting
  }

  #remove(order: Resting, type: 3 | 4, size: number): string {
    this.#resting = this.#resting.filter(known => known !== order)
    return line(type, order, size)
  }

  /** The oldest order of the best price. */
  #best(direction: 1 | -1): Resting | null {
    let best: Resting | null = null
    for (const order of this.#resting)
      if (order.direction === direction && (!best || (order.price - best.price) * direction > 0)) best = order
    return best
  }
}

const beside = (wanted: number, opposite: number, direction: 1 | -1): number =>
  direction === 1 ? Math.min(wanted, opposite - tick) : Math.max(wanted, opposite + tick)

const line = (type: 1 | 2 | 3 | 4, { id, price, direction }: Resting, size: number): string =>
  `${type},${id},${size},${price},${direction}`
