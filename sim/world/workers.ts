import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { WorkerAnswer } from './worker.ts'

type Run = {
  readonly first: number
  readonly count: number
  readonly jobs: number
  /** Told of each seed; `stop` ends the run early. */
  readonly onAnswer: (answer: WorkerAnswer) => 'go on' | 'stop'
}

/** Runs seeds in processes of their own, each as soon as one is free. Rejects when a worker dies. */
export const runInWorkers = async ({ first, count, jobs, onAnswer }: Run): Promise<void> => {
  const workers: ChildProcess[] = []
  let next = first
  try {
    await new Promise<void>((resolve, reject) => {
      let running = 0
      let isOver = false
      const give = (worker: ChildProcess): void => {
        if (isOver || next >= first + count) {
          if (running === 0) resolve()
          return
        }
        running++
        worker.send(next++)
      }
      for (let job = 0; job < Math.min(jobs, count); job++) {
        const worker = fork(join(import.meta.dirname, 'worker.ts'))
        workers.push(worker)
        worker.on('message', answer => {
          running--
          if (onAnswer(answer as WorkerAnswer) === 'stop') isOver = true
          give(worker)
        })
        worker.on('error', reject)
        worker.on('exit', code => reject(new Error(`a worker ended with code ${code}`)))
        give(worker)
      }
    })
  } finally {
    for (const worker of workers) {
      worker.removeAllListeners('exit')
      worker.kill()
    }
  }
}
