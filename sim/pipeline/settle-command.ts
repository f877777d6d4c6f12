import { spawn } from 'node:child_process'
import { settleEntry } from './services.ts'

export type CommandResult = { readonly exitCode: number; readonly stdout: string; readonly stderr: string }

/** Runs one `settle` command to its end; after `withinMs` it is killed and the exit code is 1. */
export const runSettle = (
  args: readonly string[],
  options: { readonly env: Readonly<Record<string, string>>; readonly withinMs: number },
): Promise<CommandResult> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [settleEntry, ...args], {
      env: options.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.withinMs,
      killSignal: 'SIGKILL',
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (signal) stderr += `settle ${args.join(' ')} was ended by ${signal} (it may take ${options.withinMs} ms)\n`
      resolve({ exitCode: code ?? 1, stdout, stderr })
    })
  })
