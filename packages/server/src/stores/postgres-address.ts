/** Where a log is, or an outbox: a database, and in it the channel's name. */
export interface PostgresAddress {
  /** As PostgreSQL's own tools take it. */
  readonly connectionString: string
  readonly channel: string
  /** Who runs it says that no other standby is ever promoted than one that was synchronous. */
  readonly hasSynchronousStandbys: boolean
}

const DEFAULT_CHANNEL = 'main'
const NAME_LENGTH_MAX = 256

/**
 * Reads `postgres://user:password@host:port/database?channel=name&standbys=synchronous`; all of it but the scheme may be left out, as with
 * PostgreSQL's own tools.
 *
 * @throws TypeError
 */
export function parsePostgresAddress(address: string): PostgresAddress {
  if (!/^postgres(?:ql)?:\/\//.test(address) || !URL.canParse(address)) {
    throw new TypeError(
      "The address of a PostgreSQL database is like 'postgres://user:password@host:5432/database?channel=main'.",
    )
  }
  const url = new URL(address)
  const channel = url.searchParams.get('channel') ?? DEFAULT_CHANNEL
  if (channel.length === 0 || channel.length > NAME_LENGTH_MAX) {
    throw new TypeError(
      `The channel's name in the address of a PostgreSQL database has 1 to ${NAME_LENGTH_MAX} characters.`,
    )
  }
  const standbys = url.searchParams.get('standbys')
  if (standbys !== null && standbys !== 'synchronous') {
    throw new TypeError("In the address of a PostgreSQL database 'standbys' is 'synchronous', or left out.")
  }
  for (const name of ['channel', 'standbys']) url.searchParams.delete(name)
  return { connectionString: url.href, channel, hasSynchronousStandbys: standbys !== null }
}
