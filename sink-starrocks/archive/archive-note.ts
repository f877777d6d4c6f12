/** What the archive commits with an offset, so that any instance can go on from it: without spaces. */
export type ArchiveNote = { readonly windowMs: number; readonly hash: string }

export const formatNote = ({ windowMs, hash }: ArchiveNote): string => `${windowMs}:${hash}`

/** Null when the archive did not write it. */
export const parseNote = (note: string | undefined): ArchiveNote | null => {
  const match = /^(\d{1,12}):([0-9a-f]{64})$/.exec(note ?? '')
  return match ? { windowMs: Number(match[1]), hash: match[2] as string } : null
}
