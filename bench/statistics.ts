/** The middle one; of an even number the mean of the two in the middle. @throws RangeError when there is none */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[sorted.length >> 1]
  const lower = sorted[(sorted.length - 1) >> 1]
  if (upper === undefined || lower === undefined) throw new RangeError('the median of nothing')
  return (lower + upper) / 2
}

export const mean = (values: readonly number[]): number => {
  if (values.length === 0) throw new RangeError('the mean of nothing')
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

export type Quantiles = { readonly p50: number; readonly p99: number; readonly max: number }

/** By nearest rank: a value that was seen, at or above which no more than that share lies. */
export const quantilesOf = (values: Float64Array): Quantiles => {
  const sorted = values.toSorted()
  const at = (share: number): number => {
    const found = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
    if (found === undefined) throw new RangeError('the quantiles of nothing')
    return found
  }
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}
