/**
 * kafkajs hands setTimeout a negative time, which Node corrects and reports at each start; it says nothing to
 * whoever runs a process of ours. Every other warning is passed on.
 */
export const quietClientWarnings = (): void => {
  process.removeAllListeners('warning')
  process.on('warning', warning => {
    if (warning.name !== 'TimeoutNegativeWarning') process.stderr.write(`${warning.name}: ${warning.message}\n`)
  })
}
