import { runSeed } from './run-seed.ts'
import { lineText } from './trace.ts'

const seed = Number(process.env['SEED'] ?? 1)
const seeds = Number(process.env['SEEDS'] ?? 1)
const reached = new Map<string, number>()
let bad = 0
for (let at = seed; at < seed + seeds; at++) {
  const start = process.cpuUsage()
  const result = await runSeed(at)
  const { user, system } = process.cpuUsage(start)
  for (const [state, count] of result.reached) reached.set(state, (reached.get(state) ?? 0) + count)
  console.log(
    at,
    result.hash,
    `${result.outputs} outputs, ${result.virtualMs} ms, ${result.turns} turns, ${((user + system) / 1e6).toFixed(2)} cpu-s`,
    result.violations
      .slice(0, 2)
      .map(v => `${v.check}: ${v.text}`)
      .join(' | ')
      .slice(0, 600),
  )
  if (result.violations.length > 0) bad++
  if (process.env['TRACE'])
    for (const line of result.lines.slice(-Number(process.env['TRACE']))) console.log(lineText(line).slice(0, 300))
}
console.log(bad, 'bad', Object.fromEntries(reached))
