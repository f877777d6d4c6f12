/**
 * Microseconds since 1970 as the text of a StarRocks DATETIME: UTC, `YYYY-MM-DD HH:MM:SS.ffffff`.
 * @throws RangeError outside the years 0000 to 9999, which is all that a DATETIME holds
 */
export const toDatetime = (micros: bigint): string => {
  if (micros < firstMicros || micros > lastMicros)
    throw new RangeError(`${micros} µs since 1970 is outside the years 0000 to 9999 of a DATETIME`)
  const second = BigInt.asIntN(64, (micros - mod(micros, 1_000_000n)) / 1_000_000n)
  return `${secondText(Number(second))}.${String(mod(micros, 1_000_000n)).padStart(6, '0')}`
}

const firstMicros = -62_167_219_200_000_000n
const lastMicros = 253_402_300_799_999_999n

const mod = (value: bigint, by: bigint): bigint => ((value % by) + by) % by

// Rows come in the order of time: most share their second with the row before.
let lastSecond = Number.NaN
let lastText = ''

const secondText = (second: number): string => {
  if (second !== lastSecond) {
    lastText = new Date(second * 1000).toISOString().slice(0, 19).replace('T', ' ')
    lastSecond = second
  }
  return lastText
}
