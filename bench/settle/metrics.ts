/** Values of one metric in Prometheus' text format, by some of its labels, whose values `/` joins; others are summed. */
export const byLabel = (text: string, metric: string, ...labels: readonly string[]): ReadonlyMap<string, number> => {
  const values = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${metric}{`)) continue
    const found = labels.map(label => new RegExp(`[{,]${label}="([^"]*)"`).exec(line)?.[1])
    if (found.includes(undefined)) continue
    const key = found.join('/')
    values.set(key, (values.get(key) ?? 0) + Number(line.slice(line.lastIndexOf(' ') + 1)))
  }
  return values
}
