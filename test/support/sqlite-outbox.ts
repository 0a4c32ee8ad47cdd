import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../../packages/server/src/stores/sqlite-database.ts'
import type { OutboxDialect, OutboxSession } from './outbox-contract.ts'

const BUSY_MS = 10_000

/** Databases in files of a temporary folder. */
export class SqliteOutboxScene implements OutboxDialect {
  readonly #folder = mkdtempSync(join(tmpdir(), 'serverchannel-outbox-'))
  readonly #journal: string
  #files = 0

  constructor(journal: 'WAL' | 'DELETE') {
    this.#journal = journal
  }

  readonly trigger = [
    'CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT)',
    `CREATE TRIGGER tell AFTER INSERT ON orders BEGIN
      INSERT INTO serverchannel_outbox (sender, body)
        VALUES ('OrderChanged', json_object('id', NEW.id, 'state', NEW.state));
    END`,
  ]
  readonly refusals = [
    [insert("'', '1'"), /sender_invalid/],
    [insert("NULL, '1'"), /NOT NULL/],
    [insert(`'${'x'.repeat(257)}', '1'`), /sender_invalid: sender has 1 to 256 characters/],
    [insert("'A', 'no JSON'"), /body_not_json: body is JSON; a text is json_quote/],
    [insert(`'A', '"${'x'.repeat(1_048_576)}"'`), /body_too_large/],
    [insert("'A', '1', '{}'", ', audience'), /audience_invalid/],
    [insert("'A', '1', '[]'", ', audience'), /audience_invalid/],
    [insert(`'A', '1', '{"user":"a"}'`, ', audience'), /audience_invalid/],
    [insert("'A', '1', 0", ', ttl_ms'), /ttl_invalid/],
    [insert("'A', '1', 'soon'", ', ttl_ms'), /ttl_invalid/],
    [insert("'A', '1', ''", ', message_key'), /message_invalid/],
    [insert("'A', '1', 1000", ', min_interval_ms'), /needs a message_key/],
    [insert("'A', '1', ''", ', id'), /id_invalid/],
  ] as const
  readonly wrong = WRONG
  readonly refused = 'SELECT reason, sender, body FROM serverchannel_refused ORDER BY number'
  readonly uninstall = ['DROP TABLE serverchannel_outbox']

  async createDatabase(): Promise<string> {
    const file = join(this.#folder, `app-${++this.#files}.db`)
    const database = await openDatabase(file)
    database.exec(`PRAGMA journal_mode = ${this.#journal}; CREATE TABLE mine (n INTEGER)`)
    database.close()
    return `sqlite:${file}`
  }

  async connect(address: string): Promise<OutboxSession> {
    const database = await openDatabase(address.slice('sqlite:'.length))
    database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
    return {
      transaction: database,
      run: async (text) => database.exec(text),
      rows: async (text) => database.prepare(text).all(),
      close: async () => void database.close(),
    }
  }

  post(sender: string, body: string, id?: string): string {
    return id === undefined ? insert(`'${sender}', '${body}'`) : insert(`'${sender}', '${body}', '${id}'`, ', id')
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function insert(values: string, columns = ''): string {
  return `INSERT INTO serverchannel_outbox (sender, body${columns}) VALUES (${values})`
}

/** What a table's checks can't tell: characters of two units, and what is inside of an audience. */
export const WRONG = [
  [insert(`'${'😀'.repeat(200)}', '1'`), /'sender' needs to be a string of 1 to 256 characters; it is a string of 400/],
  [insert(`'A', '1', '{"users":[1]}'`, ', audience'), /An id in 'users' is not a string/],
  [insert(`'A', '1', '{"except":[""]}'`, ', audience'), /An id in 'except' has 0 characters/],
] as const
