const digits = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#'

/** Z85 (ZeroMQ RFC 32), in which CURVE keys are written: four bytes in five characters. */
export const toZ85 = (bytes: Buffer): string => {
  if (bytes.length % 4 !== 0) throw new RangeError(`Z85 takes multiples of 4 bytes, not ${bytes.length}`)
  let text = ''
  for (let i = 0; i < bytes.length; i += 4) {
    const value = bytes.readUInt32BE(i)
    for (let divisor = 85 ** 4; divisor >= 1; divisor /= 85) text += digits[Math.floor(value / divisor) % 85]
  }
  return text
}

/** A CURVE key is 32 bytes: 40 characters of Z85. */
export const isCurveKey = (text: string): boolean =>
  text.length === 40 && text.split('').every(character => digits.includes(character))
