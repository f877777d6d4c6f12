import { join, resolve } from 'node:path'

const clone = resolve(import.meta.dirname, '../..')

/**
 * The folder of the servers that one run of the int and e2e tests shares. Each run has its own, so that two runs, and
 * a demo beside them, never share a server; a SETTLE_DATA that is given is used as it is, and left up.
 */
export const testStackFolder = (): { readonly folder: string; readonly owner: 'this run' | 'somebody else' } => {
  const given = process.env['SETTLE_DATA'] ?? ''
  if (given !== '') return { folder: resolve(clone, given), owner: 'somebody else' }
  return { folder: join(clone, '.data', 'test', `${process.pid}`), owner: 'this run' }
}
