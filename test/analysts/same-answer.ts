import { expect } from 'vitest'
import type { Answer } from './naive-answers.ts'

/** How any client prints a value; NULL is null. */
export type Printed = readonly (readonly (string | null)[])[]

/** Holds what a client printed to what the naive ledger says: exact, but for DOUBLEs, which agree to twelve digits. */
export const expectAnswer = (title: string, printed: Printed, expected: Answer): void => {
  const shown = printed.map((row, line) =>
    row.map((cell, column) => {
      const wanted = expected[line]?.[column]
      if (typeof wanted !== 'number' || cell === null) return canonical(cell)
      return Math.abs(Number(cell) - wanted) <= Math.abs(wanted) * 1e-12 ? String(wanted) : cell
    }),
  )
  const wanted = expected.map(row => row.map(cell => canonical(cell === null ? null : String(cell))))
  expect({ title, rows: shown }).toEqual({ title, rows: wanted })
}

type Row = Readonly<Record<string, string | number | bigint | null>>

/** Holds all rows of a view to what the naive ledger says, whatever their order. */
export const expectView = (view: string, found: readonly Row[], expected: readonly Row[]): void => {
  const texts = (rows: readonly Row[]): string[] =>
    rows.map(row => sorted(Object.entries(row).map(([name, value]) => `${name} ${textOf(value)}`)).join(', '))
  expect({ view, rows: sorted(texts(found)) }).toEqual({ view, rows: sorted(texts(expected)) })
}

const textOf = (value: Row[string] | undefined): string | null =>
  value === null || value === undefined ? null : canonical(String(value))
const sorted = (texts: readonly string[]): string[] => texts.toSorted((a, b) => (a < b ? -1 : 1))

/** Clients differ in how many zeros of a fraction they print. */
const canonical = (text: string | null): string | null =>
  text !== null && /^-?\d[\d: -]*\.\d+$/.test(text) ? text.replace(/\.?0+$/, '') : text
