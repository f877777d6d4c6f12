import { MultiBar, type SingleBar } from 'cli-progress'

/** Shows a person how far things are. Each step ends with `done` or `failed`. */
export interface Progress {
  step(title: string): Step
  /** Leaves the terminal as it was; may be called again. */
  end(): void
}

export interface Step {
  /** 0 to 1. */
  at(fraction: number): void
  done(note: string): void
  failed(): void
}

/** Bars on a terminal, plain lines elsewhere. */
export function showProgress(out: NodeJS.WriteStream = process.stderr): Progress {
  return out.isTTY ? bars(out) : lines(out)
}

/** For callers that show their own. */
export const silent: Progress = {
  step: () => ({ at: () => {}, done: () => {}, failed: () => {} }),
  end: () => {},
}

function lines(out: NodeJS.WritableStream): Progress {
  return {
    step(title) {
      out.write(`${title} …\n`)
      return {
        at: () => {},
        done: note => void out.write(`${title}: ${note}\n`),
        failed: () => void out.write(`${title}: FAILED\n`),
      }
    },
    end: () => {},
  }
}

function bars(out: NodeJS.WriteStream): Progress {
  const multi = new MultiBar({
    stream: out,
    format: '{title} {bar} {note}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    hideCursor: true,
    forceRedraw: true,
  })
  return {
    step(title) {
      const bar: SingleBar = multi.create(1000, 0, { title: title.padEnd(34), note: '' })
      const to = (fraction: number, note: string) => bar.update(Math.round(fraction * 1000), { note })
      return {
        at: fraction => to(fraction, ''),
        done: note => to(1, note),
        failed: () => bar.update({ note: 'FAILED' }),
      }
    },
    end: () => multi.stop(),
  }
}
