/** An error of the driver in one line, with the nodes' own errors inside it. */
export const errorText = (error: unknown): string => {
  const inner = error instanceof Error && 'innerErrors' in error ? Object.values(error.innerErrors as object) : []
  // The driver puts whole stacks into its messages.
  const texts = [error, ...inner].map(
    each => (each instanceof Error ? each.message : String(each)).split('\n')[0] ?? '',
  )
  return [...new Set(texts)].join('; ')
}
