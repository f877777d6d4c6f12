/**
 * What a program of ours takes from whoever starts it here; everything else it is told by name. In NODE_COMPILE_CACHE,
 * when it is set, Node keeps what it has compiled: the next start takes half the time.
 */
export const inheritedEnvironment = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    ['PATH', 'NODE_COMPILE_CACHE'].flatMap(name => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
