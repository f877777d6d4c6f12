import { z } from 'zod'

const port = z.coerce.number().int().min(0).max(65_535)

const schema = z.object({
  STARROCKS_DIR: z.string().min(1, 'the folder of the data is missing'),
  STARROCKS_FE_HTTP_PORT: port.default(8030),
  STARROCKS_BE_HTTP_PORT: port.default(8040),
  STARROCKS_MYSQL_PORT: port.default(9030),
  STARROCKS_ADMIN_PORT: port.optional(),
  STARROCKS_USER: z.string().min(1).default('root'),
  STARROCKS_PASSWORD: z.string().default(''),
  STARROCKS_MEMORY_LIMIT: z
    .string()
    .regex(/^\d+(\.\d+)?\s?(MB|GB|MiB|GiB)$/, 'must be written like 512MB')
    .default('512MB'),
  STARROCKS_LABEL_KEEP_MAX_NUM: z.coerce.number().int().min(1).max(1_000_000).default(1000),
})

export interface Settings {
  readonly directory: string
  readonly feHttpPort: number
  readonly beHttpPort: number
  readonly mysqlPort: number
  /** undefined: no admin door. */
  readonly adminPort: number | undefined
  readonly users: ReadonlyMap<string, string>
  readonly memoryLimit: string
  readonly labelKeepMax: number
}

/** Reads the environment once. @throws Error that names every setting that is wrong, together */
export function parseSettings(environment: Record<string, string | undefined>): Settings {
  const parsed = schema.safeParse(environment)
  if (!parsed.success) {
    const problems = parsed.error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`)
    throw new Error(`settings of the StarRocks stand-in: ${problems.join('; ')}`)
  }
  const env = parsed.data
  return {
    directory: env.STARROCKS_DIR,
    feHttpPort: env.STARROCKS_FE_HTTP_PORT,
    beHttpPort: env.STARROCKS_BE_HTTP_PORT,
    mysqlPort: env.STARROCKS_MYSQL_PORT,
    adminPort: env.STARROCKS_ADMIN_PORT,
    users: new Map([[env.STARROCKS_USER, env.STARROCKS_PASSWORD]]),
    memoryLimit: env.STARROCKS_MEMORY_LIMIT,
    labelKeepMax: env.STARROCKS_LABEL_KEEP_MAX_NUM,
  }
}
