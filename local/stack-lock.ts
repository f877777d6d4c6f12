import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { SetupError } from './setup-error.ts'

const POLL_MS = 200

/**
 * One command at a time works on a data folder. The lock is a socket name of the kernel, not a file: it goes with its
 * process, however that ends, so it can't be left behind. Waits up to `waitMs` for the command that holds it.
 * @throws SetupError when it is still held then
 */
export async function lockStack(dataDir: string, options: { waitMs: number }): Promise<AsyncDisposable> {
  const name = `settle-stack-${createHash('sha256').update(dataDir).digest('hex').slice(0, 32)}`
  const end = Date.now() + options.waitMs
  for (;;) {
    const lock = await tryLock(name)
    if (lock !== undefined) return lock
    if (Date.now() >= end) {
      throw new SetupError(`Another command still works on the stack in ${dataDir}: wait for it or end it.`)
    }
    await delay(POLL_MS)
  }
}

function tryLock(name: string): Promise<AsyncDisposable | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer(socket => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    // A leading NUL makes it a name of Linux's abstract namespace, without a file.
    server.listen({ path: `\0${name}` }, () => {
      server.unref()
      resolve({ [Symbol.asyncDispose]: () => new Promise<void>(done => server.close(() => done())) })
    })
  })
}
