import type { JarSet } from './jar-cache.ts'
import type { Java } from './machine-check.ts'
import type { Launch } from './server-process.ts'
import type { ServerName } from './settings.ts'
import type { ServerRecord } from './state-file.ts'

/** What the stack must know of one kind of server; the servers themselves are records in the state file. */
export interface ServerDriver {
  readonly server: ServerName
  /** As a person calls it. */
  readonly title: string
  /** What Java runs; undefined for what is not Java. */
  readonly jarSet?: JarSet
  readonly startTimeoutMs: number
  /** After SIGTERM, before SIGKILL. */
  readonly stopTimeoutMs: number
  /** About how long a start takes; only the progress bar needs it. */
  readonly usualStartMs: number
  /** What one process takes once it works, in MB. */
  memoryMb(settings: ServerRecord['settings']): number
  /** Writes the server's files (repeating it changes nothing) and says what to run. */
  prepare(
    record: ServerRecord,
    tools: { peers: readonly ServerRecord[]; java?: Java; jarDir?: string },
  ): Promise<Launch>
  /** @throws as long as the server does not serve */
  probe(record: ServerRecord): Promise<void>
  /** @throws as long as the servers, each of which serves, have not found each other */
  probeTogether?(records: readonly ServerRecord[]): Promise<void>
}

/** For several JVMs on one small machine, and for one that lives a second: to compile quickly is worth more than to compile well. */
export const QUICK_JIT_FLAGS: readonly string[] = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']

/** The Java and the jars, which the stack gives to each driver that names a set of them. */
export function javaTools(
  record: ServerRecord,
  tools: { java?: Java; jarDir?: string },
): { java: Java; jarDir: string } {
  if (tools.java === undefined || tools.jarDir === undefined) throw new Error(`${record.id} needs Java and its jars`)
  return { java: tools.java, jarDir: tools.jarDir }
}
