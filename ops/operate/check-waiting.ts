import type { CommandRecord } from '../../core/events.ts'
import { refuse } from '../../runtime/stop.ts'

/**
 * One command for one thing: the log does not show yet what a command brings about that no bridge has come to, so a
 * second one would be worked out from what is no longer so when its turn comes.
 * @throws Stop `command-waits`
 */
export const checkWaiting = (
  waiting: readonly CommandRecord[],
  isForTheSame: (record: CommandRecord) => boolean,
): void => {
  const found = waiting.find(isForTheSame)
  if (!found) return
  const { id, who, why } = found.command
  throw refuse(
    'command-waits',
    `command ${id} of ${who} ("${why}"), a ${found.kind} for the same, waits for a bridge; nothing was sent. Look for its ` +
      `answer by the arguments it was given and --id ${id}; settle status tells whether a bridge runs`,
    { id },
  )
}
