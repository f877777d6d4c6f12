import { readWallet } from '../../processor/settle/read-wallet.ts'
import type { Worker } from '../worker.ts'
import { house, userOf } from './exchange.ts'
import type { MakerAnswer, MakerQuestion } from './maker/questions.ts'
import type { BenchStream } from './stream.ts'

const withinMs = 10_000
/** The house, which every trade touches, the busiest users, and some that hardly trade. */
const users = [house, ...[0, 1, 2, 3, 10, 100, 1000, 5000, 9999].map(userOf)]

/** The store against the engine's own books. @throws Error naming the first balance that differs */
export const checkBalances = async (
  { cql }: BenchStream,
  maker: Worker<object, MakerQuestion, MakerAnswer>,
): Promise<void> => {
  const { accounts } = await maker.ask({ kind: 'accounts', users }, { withinMs })
  for (const [index, user] of users.entries()) {
    const wallet = new Map<number, string>()
    for (const [asset, cell] of await readWallet(cql, user, AbortSignal.timeout(withinMs)))
      wallet.set(asset, `${cell.available}/${cell.frozen}, version ${cell.version}`)
    for (const { asset, available, frozen, version } of accounts[index] ?? []) {
      const expected = `${available}/${frozen}, version ${version}`
      // An account that was never touched has no cell.
      if (version === 0n || wallet.get(asset) === expected) continue
      throw new Error(`user ${user}, asset ${asset}: the store holds ${wallet.get(asset)}, the engine ${expected}`)
    }
  }
}
