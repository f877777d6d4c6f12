import type { OpsCommand } from './command.ts'
import { archiveCommand } from './archive/command.ts'
import { initCommand } from './init/command.ts'
import { admitCommand } from './operate/admit-command.ts'
import { correctCommand } from './operate/correct-command.ts'
import { gapCommand } from './operate/gap-command.ts'
import { redriveCommand } from './operate/redrive-command.ts'
import { replayCommand } from './replay/command.ts'
import { restoreCommand } from './restore/command.ts'
import { statusCommand } from './status/command.ts'
import { verifyCommand } from './verify/command.ts'

/** Every `settle` command, in the order in which help tells them. */
export const commands: readonly OpsCommand[] = [
  initCommand,
  statusCommand,
  verifyCommand,
  archiveCommand,
  gapCommand,
  correctCommand,
  admitCommand,
  redriveCommand,
  replayCommand,
  restoreCommand,
]
