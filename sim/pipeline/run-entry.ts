import { spawn } from 'node:child_process'

export type EntryResult = { readonly exitCode: number; readonly stdout: string; readonly stderr: string }

/** Runs a program of ours to its end; after `withinMs` it is killed, the exit code is 1 and stderr says so. */
export const runEntry = (
  entry: string,
  options: {
    readonly args?: readonly string[]
    readonly env: Readonly<Record<string, string>>
    readonly withinMs: number
  },
): Promise<EntryResult> =>
  new Promise((resolve, reject) => {
    const { args = [], env, withinMs } = options
    const child = spawn(process.execPath, [entry, ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: withinMs,
      killSignal: 'SIGKILL',
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (signal) stderr += `${[entry, ...args].join(' ')} was ended by ${signal}; it may take ${withinMs} ms\n`
      resolve({ exitCode: code ?? 1, stdout, stderr })
    })
  })
