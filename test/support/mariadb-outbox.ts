import { connectTo, type MariadbProcess } from './mariadb-process.ts'
import type { OutboxDialect, OutboxSession } from './outbox-contract.ts'
import type { WriterDialect } from './outbox-writer.ts'
import { WRONG } from './sqlite-outbox.ts'

/** A deadlock, a wait that was too long, a row that changed after the snapshot. */
const FAILURES = new Set([1213, 1205, 1020])
const ISOLATIONS = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE']

/** Databases in a MariaDB of the test's own. */
export class MariadbOutboxScene implements OutboxDialect, WriterDialect {
  readonly #mariadb: () => MariadbProcess

  constructor(mariadb: () => MariadbProcess) {
    this.#mariadb = mariadb
  }

  readonly begins = ISOLATIONS.map((level) => [`SET TRANSACTION ISOLATION LEVEL ${level}`, 'START TRANSACTION'])
  readonly trigger = [
    'CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT)',
    `CREATE TRIGGER tell AFTER INSERT ON orders FOR EACH ROW
      INSERT INTO serverchannel_outbox (sender, body)
        VALUES ('OrderChanged', JSON_OBJECT('id', NEW.id, 'state', NEW.state))`,
  ]
  readonly refusals = [
    [insert("'', '1'"), /sender_invalid/],
    [insert("NULL, '1'"), /cannot be null/],
    [insert(`'${'x'.repeat(257)}', '1'`), /sender_invalid: sender has 1 to 256 characters/],
    [insert("'A', 'no JSON'"), /body_not_json: body is JSON; a text is JSON_QUOTE/],
    [insert(`'A', '"${'x'.repeat(1_048_576)}"'`), /body_too_large/],
    [insert("'A', '1', '{}'", ', audience'), /audience_invalid/],
    [insert("'A', '1', '[]'", ', audience'), /audience_invalid/],
    [insert(`'A', '1', '{"user":"a"}'`, ', audience'), /audience_invalid/],
    [insert("'A', '1', 0", ', ttl_ms'), /ttl_invalid/],
    [insert("'A', '1', ''", ', message_key'), /message_invalid/],
    [insert("'A', '1', 1000", ', min_interval_ms'), /needs a message_key/],
    [insert("'A', '1', ''", ', id'), /id_invalid/],
    ["CALL serverchannel_post_message_to_all('', '1')", /sender_invalid/],
  ] as const
  readonly wrong = WRONG
  readonly refused = 'SELECT reason, sender, body FROM serverchannel_refused ORDER BY number'
  readonly uninstall = ['DROP TABLE serverchannel_outbox']

  createDatabase(): Promise<string> {
    return this.#mariadb().createDatabase()
  }

  async connect(address: string): Promise<OutboxSession> {
    const connection = await connectTo(`${address}?multipleStatements=true`)
    return {
      transaction: connection,
      run: (text) => connection.query(text),
      rows: async (text) => (await connection.query(text))[0] as unknown[],
      close: () => connection.end(),
    }
  }

  isFailure(error: unknown): boolean {
    return FAILURES.has((error as { readonly errno?: number }).errno ?? 0)
  }

  post(sender: string, body: string, id?: string): string {
    return id === undefined ? insert(`'${sender}', '${body}'`) : insert(`'${sender}', '${body}', '${id}'`, ', id')
  }
}

function insert(values: string, columns = ''): string {
  return `INSERT INTO serverchannel_outbox (sender, body${columns}) VALUES (${values})`
}
