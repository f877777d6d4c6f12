/** An amount of smallest units in display units: all digits, none rounded. */
export const displayAmount = (amount: bigint, decimals: number): string => {
  const digits = `${amount < 0n ? -amount : amount}`.padStart(decimals + 1, '0')
  const split = digits.length - decimals
  const point = decimals === 0 ? '' : `.${digits.slice(split)}`
  return `${amount < 0n ? '-' : ''}${digits.slice(0, split)}${point}`
}

export const signedText = (amount: bigint): string => (amount > 0n ? `+${amount}` : `${amount}`)
