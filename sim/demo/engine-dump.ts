import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const integer = z.string().regex(/^-?\d+$/)

const dump = z.object({
  outputs: integer,
  trades: integer,
  balances: z.array(z.object({ user: integer, asset: integer, available: integer, frozen: integer, version: integer })),
  openOrders: z.array(
    z.object({
      order: integer,
      user: integer,
      symbol: integer,
      side: z.string(),
      price: integer,
      remaining: integer,
    }),
  ),
  orderStates: z.record(z.string(), integer),
  chain: z.string(),
})

/** What the engine says it holds, by its own arithmetic; every integer is a string. */
export type EngineDump = z.output<typeof dump>

export const readEngineDump = async (path: string): Promise<EngineDump> =>
  dump.parse(JSON.parse(await readFile(path, 'utf8')))
