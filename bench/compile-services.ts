import { spawnSync } from 'node:child_process'
import { inheritedEnvironment } from '../sim/pipeline/inherited-environment.ts'
import { serviceEntries } from '../sim/pipeline/services.ts'

/**
 * Starts each service once with nothing told, which it refuses. Node has then compiled what it is made of, and keeps it in
 * NODE_COMPILE_CACHE: a service that is measured starts as one in operation does, without the compiler in its memory.
 */
export const compileServices = (): void => {
  for (const entry of Object.values(serviceEntries))
    spawnSync(process.execPath, [entry], { env: inheritedEnvironment(), stdio: 'ignore' })
}
