import { createHash, timingSafeEqual } from 'node:crypto'

const sha1 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha1')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/**
 * Whether a mysql_native_password token proves this password: SHA1(password) XOR SHA1(seed ‖ SHA1(SHA1(password))).
 * An empty password is proved by an empty token.
 */
export function nativePasswordFits(token: Uint8Array, seed: Uint8Array, password: string): boolean {
  if (password === '' || token.length === 0) return password === '' && token.length === 0
  const stage1 = sha1(Buffer.from(password))
  const stage3 = sha1(seed, sha1(stage1))
  const wanted = stage1.map((byte, index) => byte ^ (stage3[index] as number))
  return token.length === wanted.length && timingSafeEqual(token, wanted)
}
