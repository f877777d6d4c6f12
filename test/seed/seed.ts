import fc from 'fast-check'

// Every run draws anew and a failure prints its seed; TEST_SEED draws the same again. CI fixes it, so that a change is
// judged by what it changes.
const given = process.env['TEST_SEED']
if (given !== undefined) {
  if (!/^-?\d{1,10}$/.test(given))
    throw new Error(`TEST_SEED=${given}: must be a seed as a failure prints it, a whole number`)
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(given) })
}
