import fc from 'fast-check'
import { expect, it } from 'vitest'
import { wholeFrames } from './whole-frames.ts'

const frame = (payload: Uint8Array): Buffer => {
  const size = Buffer.alloc(4)
  size.writeInt32BE(payload.length)
  return Buffer.concat([size, payload])
}

it('answers come out whole and in order, however they came in; a piece of one does not', () => {
  const payload = fc.uint8Array({ maxLength: 40 })
  const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 })
  const run = (payloads: readonly Uint8Array[], sizes: readonly number[], missing: number): void => {
    const stream = Buffer.concat(payloads.map(frame))
    const bytes = stream.subarray(0, stream.length - Math.min(missing, stream.length))
    const delivered: Buffer[] = []
    const read = wholeFrames(frames => void delivered.push(Buffer.from(frames)))
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const size = sizes[i % sizes.length] as number
      read(bytes.subarray(at, at + size))
      at += size
    }
    let whole = 0
    for (const { length } of payloads) {
      if (whole + 4 + length > bytes.length) break
      whole += 4 + length
    }
    expect(Buffer.concat(delivered)).toEqual(bytes.subarray(0, whole))
  }
  fc.assert(fc.property(fc.array(payload, { maxLength: 8 }), cuts, fc.nat(20), run))
})
