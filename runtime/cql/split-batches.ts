import { cqlLimits } from './limits.ts'

/** Cuts statements of one partition into batches within the limits, in order. A statement larger than one stands alone. */
export const splitBatches = <Sized extends { readonly bytes: number }>(statements: readonly Sized[]): Sized[][] => {
  const batches: Sized[][] = []
  let batch: Sized[] = []
  let bytes = 0
  for (const statement of statements) {
    const full = batch.length >= cqlLimits.batchStatements || bytes + statement.bytes > cqlLimits.batchBytes
    if (full && batch.length > 0) {
      batches.push(batch)
      batch = []
      bytes = 0
    }
    batch.push(statement)
    bytes += statement.bytes
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}
