const cycleUs = 146_097n * 86_400n * 1_000_000n
const cycleYears = 400

/** int64 µs since the epoch as UTC ISO 8601 with six decimals; years outside 0–9999 with sign and six digits. */
export const formatTimeUs = (timeUs: bigint): string => {
  // Date ends at the year 275760 and int64 µs do not; the calendar repeats every 400 years, so only the year shifts.
  const inCycleUs = ((timeUs % cycleUs) + cycleUs) % cycleUs
  const cycles = Number((timeUs - inCycleUs) / cycleUs)
  const text = new Date(Number(inCycleUs / 1000n)).toISOString()
  const micros = (inCycleUs % 1000n).toString().padStart(3, '0')
  return `${yearText(Number(text.slice(0, 4)) + cycles * cycleYears)}${text.slice(4, -1)}${micros}Z`
}

const yearText = (year: number): string =>
  year >= 0 && year <= 9999
    ? String(year).padStart(4, '0')
    : `${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}`

/** The inverse of `formatTimeUs`; null when the text is not exactly what it writes. */
export const parseTimeUs = (text: string): bigint | null => {
  const match = /^(\d{4}|[+-]\d{6})(-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})(\d{3})Z$/.exec(text)
  if (!match) return null
  const [, yearDigits, rest, micros] = match as unknown as [string, string, string, string]
  const sinceCycle = (((Number(yearDigits) - 1970) % cycleYears) + cycleYears) % cycleYears
  const cycles = (Number(yearDigits) - 1970 - sinceCycle) / cycleYears
  const ms = Date.parse(`${1970 + sinceCycle}${rest}Z`)
  if (Number.isNaN(ms)) return null
  const timeUs = BigInt(ms) * 1000n + BigInt(micros) + BigInt(cycles) * cycleUs
  return formatTimeUs(timeUs) === text ? timeUs : null
}
