import { readFile } from 'node:fs/promises'

/** A question of the analysts' page and the SQL that answers it. */
export type Question = { readonly title: string; readonly sql: string }

const url = new URL('../../docs/analysts.md', import.meta.url)

/** All questions of `docs/analysts.md`, in their order. */
export const questions = async (): Promise<Question[]> => {
  const page = await readFile(url, 'utf8')
  return [...page.matchAll(/^([^\n]+):\n\n```sql\n(.*?)```/gms)].map(([, title = '', sql = '']) => ({
    title,
    sql: sql.trim(),
  }))
}
