import { z } from 'zod'
import { setting } from '../settings.ts'

const httpAddress = z.string().transform((text, context) => {
  const hosts: string[] = []
  for (const part of text.split(',')) {
    const host = /^(?:http:\/\/)?([^\s:/,@]+:\d{1,5})\/?$/.exec(part.trim())?.[1]
    if (host === undefined) {
      context.addIssue({ code: 'custom', message: 'must be http://host:port, several separated by commas' })
      return z.NEVER
    }
    hosts.push(host)
  }
  return hosts
})

/** How to reach StarRocks. */
export const starrocksSettings = {
  /** Frontends' HTTP doors, `http://host:port`, one or several; parsed to host:port. */
  STARROCKS_HTTP: httpAddress,
  /** Backends that a frontend may send a load to, host:port. */
  STARROCKS_LOAD_HOSTS: setting.addresses,
  /** A frontend's MySQL door, host:port. */
  STARROCKS_MYSQL: z.string().regex(/^[^,\s:]+:\d{1,5}$/, 'must be host:port'),
  STARROCKS_USER: setting.text.default('root'),
  STARROCKS_PASSWORD: z.string().default(''),
}
