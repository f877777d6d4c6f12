import type { ReferenceData } from '../../core/events.ts'
import type { Flow } from './flow/flow.ts'
import { checkLobsterFile, LobsterFlow, lobsterReference, symbolOfFile } from './flow/lobster-flow.ts'
import { referenceOf } from './flow/markets.ts'
import { RandomFlow } from './flow/random-flow.ts'
import type { EngineSettings } from './settings.ts'

/** Where this engine's commands come from, not yet opened at a start time. */
export type ChosenFlow = {
  /** Names the flow; a journal goes on only with the flow it was begun with. */
  readonly identity: string
  readonly reference: ReferenceData
  begin(startUs: bigint): Flow
}

/**
 * The flow file when there is one, random trading otherwise.
 * @throws FlowFileError when the file can't be used.
 */
export const openFlow = (settings: EngineSettings): ChosenFlow => {
  const { flow, house, markets, meanStepUs, orders, seed, users } = settings
  if (!flow)
    return {
      identity: 'random',
      reference: referenceOf(markets, house),
      begin: startUs => new RandomFlow({ seed, users, orders: orders ?? 0, markets, house, startUs, meanStepUs }),
    }
  const { file } = flow
  const { sha256, firstTimeUs } = checkLobsterFile(file)
  const symbol = flow.symbol ?? symbolOfFile(file)
  return {
    identity: `lobster ${symbol} ${sha256}`,
    reference: lobsterReference(symbol, house),
    begin: startUs => new LobsterFlow({ file, users, orders, startUs, firstTimeUs }),
  }
}
