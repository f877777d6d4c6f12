/** JSON for machines: bigints as strings, because JSON numbers lose digits. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}` : each), 2)
