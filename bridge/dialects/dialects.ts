import { avroDialect } from './avro.ts'
import type { Dialect } from './dialect.ts'
import { jsonDialect } from './json.ts'

/** Every dialect by the name that ENGINE_DIALECT gives it. docs/dialects.md tells how to add one. */
export const dialects = { avro: avroDialect, json: jsonDialect } as const satisfies Record<string, Dialect>
