/** The sum over all label sets of each metric in Prometheus' text format. Histograms keep their _sum and _count only. */
export const sumsOfMetrics = (text: string): ReadonlyMap<string, number> => {
  const sums = new Map<string, number>()
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{.*\})? (\S+)(?: \d+)?$/.exec(line)
    const [, name, value] = match ?? []
    if (name === undefined || name.endsWith('_bucket')) continue
    sums.set(name, (sums.get(name) ?? 0) + Number(value))
  }
  return sums
}
