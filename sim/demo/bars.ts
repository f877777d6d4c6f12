import { MultiBar, type SingleBar } from 'cli-progress'

/** How far one stage is. `total` null: nobody knows yet. */
export type Stage = { readonly name: string; readonly value: number; readonly total: number | null }

/** Shows how far all stages are; may be called as often as wanted. */
export interface Bars {
  show(stages: readonly Stage[]): void
  /** Leaves the terminal as it was; may be called again. */
  end(): void
}

const lineEveryMs = 3000
const nameWidth = 14

/** Bars on a terminal, a plain line now and then elsewhere. */
export const showBars = (out: NodeJS.WriteStream = process.stderr): Bars => (out.isTTY ? drawn(out) : told(out))

const drawn = (out: NodeJS.WriteStream): Bars => {
  const multi = new MultiBar({
    stream: out,
    format: '  {name} {bar} {value}/{total}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 40,
    hideCursor: true,
    forceRedraw: true,
    autopadding: true,
    clearOnComplete: false,
  })
  const bars = new Map<string, SingleBar>()
  return {
    show: stages => {
      for (const { name, value, total } of stages) {
        const bar = bars.get(name) ?? multi.create(1, 0, { name: name.padEnd(nameWidth) })
        bars.set(name, bar)
        bar.setTotal(Math.max(total ?? value, value, 1))
        bar.update(value)
      }
    },
    end: () => multi.stop(),
  }
}

const told = (out: NodeJS.WritableStream): Bars => {
  let last: readonly Stage[] = []
  let saidAtMs = 0
  const say = (): void => {
    if (last.length === 0) return
    const words = last.map(({ name, value, total }) => `${name} ${value}/${total ?? '?'}`)
    out.write(`  ${words.join('  ')}\n`)
    last = []
    saidAtMs = performance.now()
  }
  return {
    show: stages => {
      last = stages
      if (performance.now() - saidAtMs >= lineEveryMs) say()
    },
    end: say,
  }
}
