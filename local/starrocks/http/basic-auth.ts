import { timingSafeEqual } from 'node:crypto'

/** User → password. */
export type Users = ReadonlyMap<string, string>

/** The user of a Basic Authorization header, or why there is none. */
export function checkBasicAuth(
  header: string | undefined,
  users: Users,
): { readonly kind: 'user'; readonly user: string } | { readonly kind: 'refused'; readonly message: string } {
  const encoded = /^Basic\s+(\S+)$/i.exec(header ?? '')?.[1]
  const decoded = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  if (colon < 0) return { kind: 'refused', message: 'no valid Basic authorization' }
  const user = decoded.slice(0, colon)
  const password = decoded.slice(colon + 1)
  const wanted = users.get(user)
  if (wanted !== undefined && equal(wanted, password)) return { kind: 'user', user }
  return { kind: 'refused', message: accessDenied(user, password === '' ? 'NO' : 'YES') }
}

export const accessDenied = (user: string, usingPassword: 'YES' | 'NO'): string =>
  `Access denied for user '${user}' (using password: ${usingPassword})`

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
