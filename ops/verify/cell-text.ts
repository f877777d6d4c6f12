/**
 * The one text of a value, so that equal values are equal texts wherever they come from; null for null and for an
 * empty list or map, which the store does not tell apart.
 */
export const cellText = (value: unknown): string | null => {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.length === 0 ? null : nestedText(value)
  if (value instanceof Map) return value.size === 0 ? null : nestedText(value)
  return nestedText(value)
}

const nestedText = (value: unknown): string => {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'string') return JSON.stringify(value)
  if (Buffer.isBuffer(value)) return value.toString('hex')
  if (Array.isArray(value)) return `[${value.map(nestedText).join()}]`
  if (value instanceof Map) return `{${entriesText([...value].map(([key, each]) => [`${key}`, each]))}}`
  if (typeof value === 'object') return `{${entriesText(Object.entries(value))}}`
  return `${value as bigint | number | boolean}`
}

const entriesText = (entries: readonly (readonly [string, unknown])[]): string =>
  [...entries]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, each]) => `${key}:${nestedText(each)}`)
    .join()
