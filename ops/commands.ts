import type { OpsCommand } from './command.ts'
import { initCommand } from './init/command.ts'
import { statusCommand } from './status/command.ts'
import { verifyCommand } from './verify/command.ts'

/** Every `settle` command, in the order in which help tells them. */
export const commands: readonly OpsCommand[] = [initCommand, statusCommand, verifyCommand]
