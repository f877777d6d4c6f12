/** What `settle init` finds of one thing that a stream needs. */
export type Finding =
  | { readonly kind: 'present'; readonly thing: string }
  | { readonly kind: 'missing'; readonly thing: string; readonly make: () => Promise<void> }
  /** It is there but is not what the stream needs. `problem`: the thing, its value, what was expected, the way out. */
  | { readonly kind: 'refused'; readonly problem: string }

export const present = (thing: string): Finding => ({ kind: 'present', thing })
export const missing = (thing: string, make: () => Promise<void>): Finding => ({ kind: 'missing', thing, make })
export const refused = (problem: string): Finding => ({ kind: 'refused', problem })
