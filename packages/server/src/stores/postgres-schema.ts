import type { Client } from 'pg'
import { ask, sqlState } from './postgres-client.ts'
import { schemaFiles } from './schema-files.ts'

const BEGIN = `CREATE SCHEMA IF NOT EXISTS serverchannel;
CREATE TABLE IF NOT EXISTS serverchannel.versions (
  number integer PRIMARY KEY, name text NOT NULL, installed_at timestamptz NOT NULL DEFAULT now()
);`

/** All files as one script, as `outbox install --print` shows them. */
export function schemaScript(): string {
  const parts = schemaFiles('postgres').map(
    ({ number, name, text }) => `-- ${name}\n${text}\n${recordOf(number, name)}`,
  )
  return ['BEGIN;', BEGIN, ...parts, 'COMMIT;'].join('\n\n')
}

/**
 * Runs what of the files has not been run in this database, in one transaction. Safe to be called again, and by several at
 * the same time.
 *
 * @returns the names of those that were run
 * @throws Error that says what the role lacks, or that the database's encoding is none that keeps all messages
 */
export async function installSchema(client: Client): Promise<readonly string[]> {
  await requireUtf8(client)
  const present = (await installed(client)) ?? new Set()
  if (schemaFiles('postgres').every(({ number }) => present.has(number))) return []
  const names: string[] = []
  await ask(client, { text: 'BEGIN' })
  try {
    await ask(client, { text: 'SELECT pg_advisory_xact_lock(1396917571, 0)' })
    await ask(client, { text: BEGIN })
    const done = (await installed(client)) ?? new Set()
    for (const { number, name, text } of schemaFiles('postgres')) {
      if (done.has(number)) continue
      await ask(client, { text: text })
      await ask(client, { text: recordOf(number, name) })
      names.push(name)
    }
    await ask(client, { text: 'COMMIT' })
  } catch (cause) {
    await ask(client, { text: 'ROLLBACK' })
    if (sqlState(cause) !== '42501') throw cause
    throw new Error(
      'This role may not create the schema serverchannel. Let one that may run: npx serverchannel outbox install URL',
      { cause },
    )
  }
  return names
}

function recordOf(number: number, name: string): string {
  return `INSERT INTO serverchannel.versions (number, name) VALUES (${number}, '${name}') ON CONFLICT DO NOTHING;`
}

async function installed(client: Client): Promise<ReadonlySet<number> | undefined> {
  const [found] = await ask<{ there: boolean }>(client, {
    text: "SELECT to_regclass('serverchannel.versions') IS NOT NULL AS there",
  })
  if (!found?.there) return undefined
  const rows = await ask<{ number: number }>(client, { text: 'SELECT number FROM serverchannel.versions' })
  return new Set(rows.map(({ number }) => number))
}

async function requireUtf8(client: Client): Promise<void> {
  const [row] = await ask<{ encoding: string }>(client, {
    text: "SELECT current_setting('server_encoding') AS encoding",
  })
  const encoding = row?.encoding
  if (encoding === 'UTF8') return
  throw new Error(`The database's encoding is ${encoding}, which can't keep every message. Use a database in UTF8.`)
}
