import { showProgress } from '../../local/progress.ts'

type ShowStep = <T>(title: string, work: () => Promise<T>) => Promise<T>

/** Shows the steps of `work`, and leaves the terminal as it was however it ends. */
export const shownSteps = async <T>(work: (step: ShowStep) => Promise<T>): Promise<T> => {
  const progress = showProgress()
  const show: ShowStep = async (title, each) => {
    const step = progress.step(title)
    const startedMs = performance.now()
    try {
      const result = await each()
      step.done(`${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
      return result
    } catch (error) {
      step.failed()
      throw error
    }
  }
  try {
    return await work(show)
  } finally {
    progress.end()
  }
}
