/** One measured thing beside what it is compared with, as it stands in `bench/out/<part>.json`. */
export type Figure = {
  readonly name: string
  readonly ours: number
  readonly reference: number
  /** Higher is better, whatever the unit: 1 means as good as the reference. */
  readonly ratio: number
  /** What `ratio` must reach; null: shown only. */
  readonly bar: number | null
  readonly unit: string
  /** How it was taken, and what the reference is. */
  readonly method: string
}

type Compared = Omit<Figure, 'ratio'>

/** For rates: more is better. */
export const moreIsBetter = (compared: Compared): Figure => withRatio(compared, compared.ours / compared.reference)

/** For times and sizes: less is better. */
export const lessIsBetter = (compared: Compared): Figure => withRatio(compared, compared.reference / compared.ours)

const withRatio = ({ name, ours, reference, bar, unit, method }: Compared, ratio: number): Figure => ({
  name,
  ours: rounded(ours),
  reference: rounded(reference),
  ratio: rounded(ratio),
  bar,
  unit,
  method,
})

/** Four digits say all that a benchmark knows. */
const rounded = (value: number): number => Number(value.toPrecision(4))

/** A ratio that could not be computed missed its bar, too. */
export const isMissed = ({ ratio, bar }: Figure): boolean => bar !== null && !(ratio >= bar)

export type Verdict = 'met' | 'missed' | 'shown'
export const verdictOf = (figure: Figure): Verdict =>
  figure.bar === null ? 'shown' : isMissed(figure) ? 'missed' : 'met'

/** As people read it. */
export const shown = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 4 })
