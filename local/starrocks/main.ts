import { limits } from './limits.ts'
import { parseSettings } from './settings.ts'
import { startStandIn } from './stand-in.ts'

// The process: settings from the environment, one line of JSON when ready, SIGTERM or SIGINT to end.

try {
  const standIn = await startStandIn(parseSettings(process.env))
  const close = async (): Promise<void> => {
    setTimeout(() => fail(new Error(`did not close within ${limits.closeTimeoutMs} ms`)), limits.closeTimeoutMs).unref()
    await standIn[Symbol.asyncDispose]()
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void close().catch(fail))
  const { feHttpPort: feHttp, beHttpPort: beHttp, mysqlPort: mysql, adminPort: admin } = standIn
  console.log(JSON.stringify({ ready: true, standIn: true, feHttp, beHttp, mysql, admin }))
} catch (error) {
  fail(error)
}

function fail(error: unknown): never {
  console.error(`StarRocks stand-in: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
