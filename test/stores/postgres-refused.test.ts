import { Client } from 'pg'
import { ChannelError, createServerChannel, type ServerChannel } from 'serverchannel'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import type { Draft } from '../../packages/server/src/channel/entry.ts'
import type { Appended } from '../../packages/server/src/channel/store.ts'
import { collectLogged } from '../../packages/server/test/collecting-logger.ts'
import { describePostgres } from '../support/postgres-scene.ts'
import { RefusingStore } from '../support/refusing-store.ts'

/** A log that takes nothing for a while. */
class AwayStore extends RefusingStore {
  away: Error | undefined

  override append(drafts: readonly Draft[]): Promise<Appended> {
    return this.away ? Promise.reject(this.away) : super.append(drafts)
  }
}

const NOW = 1_700_000_000_000
const HEAD = { id: 'a', sender: 'Wrong', postedAt: NOW }

/** Entries that somebody put into the table by hand, and what the server says of each. */
const wrong: readonly (readonly [entry: string, reason: string])[] = [
  ['', 'there is no body'],
  ['{"id":"a","sender":"Wrong","postedAt":1}', 'there is no body'],
  ['not JSON\n1', 'its first line is no JSON'],
  ['null\n1', 'its first line is no object'],
  [entryOf({}, '{"a":'), 'The body is no JSON'],
  [entryOf({}, ''), 'The body is no JSON'],
  [entryOf({}, '1 2'), 'The body is no JSON'],
  [entryOf({}, JSON.stringify('x'.repeat(2000))), 'The body has 2002 bytes'],
  [entryOf({}, '['.repeat(65) + ']'.repeat(65)), 'deeper than 64 levels'],
  [entryOf({ id: undefined }), 'it has no id'],
  [entryOf({ id: 7 }), "'id' needs to be a string"],
  [entryOf({ sender: '' }), "'sender' needs to be a string"],
  [entryOf({ sender: 'x'.repeat(257) }), "'sender' needs to be a string"],
  [entryOf({ postedAt: '1' }), "'postedAt' is no number"],
  [entryOf({ key: null }), "'key' needs to be a string"],
  [entryOf({ intervalMs: 1000 }), "'intervalMs' needs a 'key'"],
  [entryOf({ expiresAt: 'soon' }), "'expiresAt' is no number"],
  [entryOf({ expiresAt: NOW - 1 }), "'ttlMs' needs"],
  [entryOf({ audience: { users: 7 } }), "'users' is neither"],
  [entryOf({ audience: {} }), 'It names nobody'],
  [entryOf({ sentBy: { ConnectionId: 'c', User: 'ada' } }), "'sentBy' is not for posters"],
  [entryOf({ sentBy: {} }), "'sentBy' is not for posters"],
]

function entryOf(head: object, body = '1'): string {
  return `${JSON.stringify({ ...HEAD, ...head })}\n${body}`
}

describePostgres('what a relay from PostgreSQL never can bring into its log', [], (postgres) => {
  let database = ''
  beforeEach(async () => {
    database = await postgres().createDatabase()
  })

  async function open(store: RefusingStore): Promise<{ channel: ServerChannel; client: Client; logged: string[] }> {
    const logged: string[] = []
    const channel = await createServerChannel({
      development: true,
      store,
      outbox: database,
      postedBodyBytesMax: 2000,
      logger: collectLogged(logged),
    })
    onTestFinished(() => channel.close())
    const client = new Client({ connectionString: database })
    await client.connect()
    onTestFinished(() => client.end())
    return { channel, client, logged }
  }

  async function post(client: Client, sender: string, body = 1): Promise<void> {
    await client.query('SELECT serverchannel.post_message_to_all($1, $2::jsonb)', [sender, body])
  }

  async function refused(client: Client): Promise<{ entry: string; reason: string }[]> {
    const { rows } = await client.query<{ entry: string; reason: string }>(
      'SELECT entry, reason FROM serverchannel.refused ORDER BY "offset"',
    )
    return rows
  }

  async function waiting(client: Client): Promise<number> {
    const { rows } = await client.query<{ count: number }>('SELECT count(*)::integer FROM serverchannel.entries')
    return rows[0]?.count ?? -1
  }

  async function heard(channel: ServerChannel): Promise<string[]> {
    const { messages } = await channel.read({ limit: 1000 })
    return messages.map(({ Header, Body }) => `${Header.Sender} ${JSON.stringify(Body)}`)
  }

  it('is put aside with its reason, the log says which, and what is behind it goes on', async () => {
    const { channel, client, logged } = await open(new RefusingStore())
    await client.query('BEGIN')
    await post(client, 'Good', 1)
    for (const [entry] of wrong) {
      await client.query('INSERT INTO serverchannel.entries (channel, posted_at, bytes, entry) VALUES (1, $1, 1, $2)', [
        NOW,
        entry,
      ])
    }
    await post(client, 'Good', 2)
    await client.query('COMMIT')
    await post(client, 'Good', 3)
    await until(async () => (await heard(channel)).length === 3 && (await waiting(client)) === 0, 'all is taken')
    expect(await heard(channel)).toEqual(['Good 1', 'Good 2', 'Good 3'])
    expect(await refused(client)).toEqual(
      wrong.map(([entry, reason]) => ({ entry, reason: expect.stringContaining(reason) })),
    )
    // The first good one has offset 1.
    expect(logged).toEqual(
      wrong.map(([, reason], index) =>
        expect.stringMatching(new RegExp(`^Message ${index + 2}, .*serverchannel\\.refused: .*${escape(reason)}`)),
      ),
    )
  })

  it('is found among many, also where only the store refuses it', async () => {
    const { channel, client, logged } = await open(new RefusingStore())
    await client.query('BEGIN')
    for (let n = 0; n < 30; n++) await post(client, n === 7 || n === 8 || n === 29 ? 'Poison' : 'Good', n)
    await client.query('COMMIT')
    await until(async () => (await heard(channel)).length === 27 && (await waiting(client)) === 0, 'all is taken')
    const good = Array.from({ length: 30 }, (_, n) => n).filter((n) => n !== 7 && n !== 8 && n !== 29)
    expect(await heard(channel)).toEqual(good.map((n) => `Good ${n}`))
    expect((await refused(client)).map(({ reason }) => reason)).toEqual(Array(3).fill('This log takes no poison.'))
    expect(logged).toHaveLength(3)
  })

  it.each([
    ['a store that is away', new ChannelError('store_failed', 'The store is away')],
    ['a store that fails in a way of its own', new Error('The store is away')],
    ['a log that is closed', new ChannelError('channel_closed', 'The store is away')],
  ])('is nothing that waits for %s', async (_name, away) => {
    const store = new AwayStore()
    const { channel, client, logged } = await open(store)
    store.away = away
    await client.query('BEGIN')
    for (let n = 0; n < 3; n++) await post(client, 'Good', n)
    await client.query('COMMIT')
    await until(
      () => Promise.resolve(logged.filter((line) => line.includes('could not be brought')).length >= 3),
      'it was tried',
    )
    expect(await refused(client)).toEqual([])
    expect(await waiting(client)).toBe(3)
    store.away = undefined
    await until(async () => (await heard(channel)).length === 3 && (await waiting(client)) === 0, 'all is taken')
    expect(await heard(channel)).toEqual(['Good 0', 'Good 1', 'Good 2'])
    expect(await refused(client)).toEqual([])
  })

  it('can be posted once more', async () => {
    const { channel, client } = await open(new RefusingStore())
    await client.query('SELECT serverchannel.post($1, $2::jsonb, id => $3)', [
      'Late',
      JSON.stringify('x'.repeat(3000)),
      'late',
    ])
    await until(async () => (await refused(client)).length === 1, 'it is put aside')
    await channel.close()
    const roomy = await createServerChannel({ development: true, outbox: database })
    onTestFinished(() => roomy.close())
    await client.query(`WITH back AS (DELETE FROM serverchannel.refused RETURNING *)
      SELECT serverchannel.write('main', entry, NULL, octet_length(entry) + 500, posted_at) FROM back`)
    await until(async () => (await roomy.read()).messages.length === 1, 'it is there')
    expect((await roomy.read()).messages[0]?.Id).toBe('late')
    expect(await refused(client)).toEqual([])
  })
})

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** Waits until the condition holds. */
async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
