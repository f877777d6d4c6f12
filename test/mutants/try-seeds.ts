import { runSeed } from '../../sim/world/run-seed.ts'

/** Runs seeds until one goes wrong, and says by which check. */
for (const seed of process.argv.slice(2).map(Number)) {
  const [violation] = (await runSeed(seed)).violations
  if (!violation) continue
  process.stdout.write(`seed ${seed}: ${violation.check}: ${violation.text.slice(0, 120)}\n`)
  break
}
