import type { ChaosRun } from './chaos-run.ts'
import type { Report } from './report.ts'

/** Servers and processes that a run takes place on. */
export interface Stage {
  /** Ends all of them. */
  close(options: { readonly data: 'kept' | 'removed' }): Promise<void>
}

/** Acts on a stage that it opens, and ends what was started on it. A run that failed keeps what it wrote. */
export const onStage = async <S extends Stage>(
  { trace }: Pick<ChaosRun, 'trace'>,
  { open, act }: { readonly open: () => Promise<S>; readonly act: (stage: S) => Promise<Report> },
): Promise<Report> => {
  const stage = await open()
  let outcome: 'finished' | 'cut off' = 'cut off'
  try {
    const report = await act(stage)
    outcome = 'finished'
    return report
  } finally {
    const isGood = outcome === 'finished' && trace.violations.length === 0
    await stage.close({ data: isGood ? 'removed' : 'kept' })
  }
}
