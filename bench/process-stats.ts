import { readFileSync } from 'node:fs'
import { mean } from './statistics.ts'

const sampleMs = 250
/** Linux counts a process's time in hundredths of a second, whatever its kernel does inside. */
const tickUs = 10_000

/** CPU time of a process and all its threads so far. */
export const cpuUs = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name stands in brackets and may hold anything; the fields after it are numbers.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * tickUs
}

export const residentMb = (pid: number): number => {
  const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  if (kb === undefined) throw new Error(`process ${pid} has no resident memory; did it end?`)
  return Number(kb) / 1024
}

export type MemoryUse = { readonly maxMb: number; readonly firstThirdMb: number; readonly lastThirdMb: number }

/** Samples the resident memory of a process until stopped. */
export class ResidentMemory {
  readonly #samples: number[] = []
  readonly #timer: NodeJS.Timeout

  constructor(pid: number) {
    this.#timer = setInterval(() => this.#samples.push(residentMb(pid)), sampleMs)
  }

  stop(): MemoryUse {
    clearInterval(this.#timer)
    return memoryUse(this.#samples)
  }
}

export const memoryUse = (samplesMb: readonly number[]): MemoryUse => {
  const third = Math.ceil(samplesMb.length / 3)
  return {
    maxMb: Math.max(...samplesMb),
    firstThirdMb: mean(samplesMb.slice(0, third)),
    lastThirdMb: mean(samplesMb.slice(-third)),
  }
}
