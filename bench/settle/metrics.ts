/** Values of one metric in Prometheus' text format, by one of its labels. */
export const byLabel = (text: string, metric: string, label: string): ReadonlyMap<string, number> => {
  const values = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${metric}{`)) continue
    const key = new RegExp(`[{,]${label}="([^"]*)"`).exec(line)?.[1]
    const value = Number(line.slice(line.lastIndexOf(' ') + 1))
    if (key !== undefined) values.set(key, (values.get(key) ?? 0) + value)
  }
  return values
}
