import { schemaSources } from './avro-types.ts'

type Json = string | Json[] | { readonly [name: string]: Json | number }
type Named = { readonly type: 'record' | 'enum' | 'fixed'; readonly name: string; readonly namespace?: string }

const words = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string', 'array', 'map'])
const isNamed = (schema: Json): schema is Json & Named =>
  typeof schema === 'object' && 'type' in schema && ['record', 'enum', 'fixed'].includes(schema['type'] as string)
const fullName = (name: string, namespace: string): string => (name.includes('.') ? name : `${namespace}.${name}`)

/** Every named type of the sources by its full name, wherever it stands. */
const collect = (schema: Json, namespace: string, into: Map<string, Json>): void => {
  if (typeof schema === 'string') return
  if (Array.isArray(schema)) {
    for (const each of schema) collect(each, namespace, into)
    return
  }
  const inner = (schema['namespace'] as string | undefined) ?? namespace
  if (isNamed(schema)) into.set(fullName(schema.name, inner), { ...schema, namespace: inner })
  for (const part of ['fields', 'type', 'items'] as const)
    if (part in schema) collect(schema[part] as Json, inner, into)
}

const inlineFrom = (named: ReadonlyMap<string, Json>) => {
  const used = new Set<string>()
  const definition = (name: string): Json => {
    if (used.has(name)) return name
    used.add(name)
    const schema = named.get(name)
    if (!schema) throw new Error(`no schema is named ${name}`)
    return inline(schema, '')
  }
  const inline = (schema: Json, namespace: string): Json => {
    if (typeof schema === 'string') return words.has(schema) ? schema : definition(fullName(schema, namespace))
    if (Array.isArray(schema)) return schema.map(each => inline(each, namespace))
    const inner = (schema['namespace'] as string | undefined) ?? namespace
    if (isNamed(schema) && !used.has(fullName(schema.name, inner))) return definition(fullName(schema.name, inner))
    const parts = Object.entries(schema).map(([key, value]): [string, Json | number] => {
      if (key === 'fields') return [key, (value as Json[]).map(field => inline(field, inner))]
      const isType = key === 'items' || (key === 'type' && !isNamed(schema))
      return [key, isType ? inline(value as Json, inner) : value]
    })
    return Object.fromEntries(parts)
  }
  return definition
}

/**
 * A pinned schema as one self-contained Avro schema: what it refers to stands in it where it is first used, under
 * full names. For a schema registry, and for every ordinary Avro tool.
 * @throws Error when no schema has that full name
 */
export const standaloneSchema = (name: string): unknown => {
  const named = new Map<string, Json>()
  for (const schema of schemaSources) collect(schema as Json, '', named)
  return inlineFrom(named)(name)
}
