/** kafkajs' own, at the beginning of a record of format 2, whose length is behind it. */
export type RecordCursor = {
  readonly buffer: Buffer
  offset: number
  readInt8(): number
  readVarInt(): number
  readVarIntBytes(): Buffer | null
}

/** What the head of a batch says. */
type BatchContext = {
  readonly firstOffset: string
  readonly firstTimestamp: string
  readonly maxTimestamp: string
  readonly timestampType: number
  readonly magicByte: number
  readonly isControlBatch: boolean
}

export type DecodeRecord = (decoder: RecordCursor, context: BatchContext) => object

const logAppendTime = 1

/**
 * A record as kafkajs decodes it, with numbers where it makes a dozen objects of wide integers for each record: as many
 * as all else that reading it makes. What is rare, headers and times far apart, is left to `own`.
 */
export const decodeRecordBy =
  (own: DecodeRecord): DecodeRecord =>
  (decoder, context) => {
    const { offset: start } = decoder
    const { firstOffset, firstTimestamp, maxTimestamp, timestampType, magicByte, isControlBatch } = context
    const ownInstead = (): object => {
      decoder.offset = start
      return own(decoder, context)
    }
    const attributes = decoder.readInt8()
    const timestampDelta = readVarLong(decoder)
    if (timestampDelta === null) return ownInstead()
    const timestamp = Number(firstTimestamp) + timestampDelta
    const offset = Number(firstOffset) + decoder.readVarInt()
    const key = decoder.readVarIntBytes()
    const value = decoder.readVarIntBytes()
    const headers = decoder.readVarInt()
    if (headers !== 0 || !Number.isSafeInteger(offset) || !Number.isSafeInteger(timestamp)) return ownInstead()
    return {
      magicByte,
      attributes,
      timestamp: timestampType === logAppendTime ? maxTimestamp : `${timestamp}`,
      offset: `${offset}`,
      key,
      value,
      headers: {},
      isControlRecord: isControlBatch,
      batchContext: context,
    }
  }

/** A variable-length integer of up to five bytes, as times within two months of each other are; null: a longer one. */
const readVarLong = (decoder: RecordCursor): number | null => {
  const { buffer } = decoder
  let zigzag = 0
  let scale = 1
  for (let i = 0; i < 5; i++) {
    const byte = buffer[decoder.offset++] as number
    zigzag += (byte & 0x7f) * scale
    if (byte < 0x80) return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
    scale *= 128
  }
  return null
}
