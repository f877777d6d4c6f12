import { describe, expect, it, onTestFinished } from 'vitest'
import { pino } from 'pino'
import { Context } from 'zeromq'
import { zeroChain } from '../../../schemas/chain.ts'
import { Sessions } from '../journal/sessions.ts'
import type { JournalRecord } from '../journal/journal-record.ts'
import { ReplayClient } from '../testing/bridge-client.ts'
import { until } from '../testing/running-engine.ts'
import { tempFolder } from '../testing/temp-folder.ts'
import { avroWire } from './wire.ts'
import { ReplayServer, type ReplaySource } from './replay-server.ts'

const recordBytes = 10_000
const groupSize = 25

type World = {
  readonly server: ReplayServer
  /** Records read so far, and readings of the journal that go on. */
  read: number
  reading: number
  readonly client: () => ReplayClient
  /** Closes the server and waits until it serves no more. */
  readonly stop: () => Promise<void>
}

/** A server over a journal that is invented as it is read. */
const serveInvented = async (outputs: bigint, { keptFrom = (): bigint => 1n } = {}): Promise<World> => {
  const sessions = await Sessions.begin(tempFolder(), { last: 0n, chain: zeroChain })
  const payload = Buffer.alloc(recordBytes)
  const source: ReplaySource = {
    kept: () => ({
      ...{ sessions, first: keptFrom(), chainBeforeFirst: zeroChain, sent: outputs, sentChain: zeroChain },
    }),
    async *read(from, to) {
      world.reading++
      try {
        for (let index = from; index <= to && index >= keptFrom(); ) {
          const group: JournalRecord[] = []
          while (group.length < groupSize && index <= to)
            group.push({ index: index++, chain: zeroChain, payload, step: '' })
          world.read += group.length
          yield group
        }
      } finally {
        world.reading--
      }
    },
    onAck: () => {},
  }
  const address = { address: 'tcp://127.0.0.1:*', curve: null, wire: avroWire }
  const server = await ReplayServer.open(new Context(), address, source)
  const clients: ReplayClient[] = []
  const client = (): ReplayClient => {
    const made = new ReplayClient(server.address, { receiveHighWaterMark: 10 })
    clients.push(made)
    return made
  }
  const serving = server.serve(pino({ level: 'silent' }))
  const stop = async (): Promise<void> => {
    server.close()
    await serving
  }
  const world: World = { server, read: 0, reading: 0, client, stop }
  onTestFinished(async () => {
    for (const made of clients) made.close()
    await stop()
  })
  return world
}

describe('a replay', () => {
  it('reads no further than the client takes, and serves others meanwhile', async () => {
    const world = await serveInvented(50_000n)
    const deaf = world.client()
    await deaf.send({ kind: 'REPLAY', session: null, from: 1n, to: 0n })
    let before = -1
    await until(() => {
      const isStill = world.read === before && before > 0
      before = world.read
      return isStill
    })
    // What is on its way stands in the sockets, not in our memory: bounded by their marks and the kernel's buffers.
    expect(world.read).toBeLessThan(5_000)
    const { outputs } = await world.client().ask(null, 49_901n)
    expect(outputs).toHaveLength(100)
    const { outputs: all } = await deaf.answer()
    expect(all.map(({ at }) => at.seq)).toEqual(Array.from({ length: 50_000 }, (_, i) => BigInt(i + 1)))
  })

  it('forgets a client that went away in the middle', async () => {
    const world = await serveInvented(50_000n)
    const gone = world.client()
    await gone.send({ kind: 'REPLAY', session: null, from: 1n, to: 0n })
    await until(() => world.read > 0)
    gone.close()
    await until(() => world.server.counts.abandoned === 1)
    expect(world.read).toBeLessThan(50_000)
    await until(() => world.reading === 0)
  })

  it('that is cut off by the end of the server gives up its reading of the journal', async () => {
    const world = await serveInvented(50_000n)
    await world.client().send({ kind: 'REPLAY', session: null, from: 1n, to: 0n })
    await until(() => world.read > 0)
    expect(world.reading).toBe(1)
    await world.stop()
    expect(world.reading).toBe(0)
  })

  it('ends with TRIMMED when what was still to come is dropped under it', async () => {
    let keptFrom = 1n
    const world = await serveInvented(10_000n, { keptFrom: () => keptFrom })
    const client = world.client()
    await client.send({ kind: 'REPLAY', session: null, from: 1n, to: 0n })
    await until(() => world.read > 0)
    keptFrom = 9_001n
    const { outputs, end } = await client.answer()
    expect(outputs.length).toBeLessThan(10_000)
    expect(end).toMatchObject({ kind: 'TRIMMED', at: { seq: 9_000n } })
  })
})
