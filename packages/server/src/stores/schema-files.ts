import { readdirSync, readFileSync } from 'node:fs'

/** One SQL file of the package, as it is run. */
export interface SchemaFile {
  readonly number: number
  readonly name: string
  readonly text: string
}

/** What the server has in a database of this kind is made by, in order. */
export function schemaFiles(kind: 'postgres' | 'mysql' | 'sqlite'): readonly SchemaFile[] {
  const folder = new URL(`../../sql/${kind}/`, import.meta.url)
  return readdirSync(folder)
    .filter((name) => /^\d{3}-[a-z-]+\.sql$/.test(name))
    .sort()
    .map((name) => ({ number: Number(name.slice(0, 3)), name, text: readFileSync(new URL(name, folder), 'utf8') }))
}
