import { Client } from 'pg'
import { createServerChannel, type ServerChannel } from 'serverchannel'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { run } from '../support/cli-process.ts'
import { describePostgres } from '../support/postgres-scene.ts'
import { type Receiver, receive } from '../support/receiver.ts'

describePostgres('posting in a transaction of PostgreSQL', [], (postgres) => {
  let database = ''
  beforeEach(async () => {
    database = await postgres().createDatabase()
  })

  async function connect(): Promise<Client> {
    const client = new Client({ connectionString: database })
    await client.connect()
    onTestFinished(() => client.end())
    return client
  }

  async function open(options: object): Promise<{ channel: ServerChannel; receiver: Receiver }> {
    const channel = await createServerChannel({ development: true, ...options })
    onTestFinished(() => channel.close())
    const { url } = await channel.listen()
    const receiver = await receive(`${url}/msg`)
    onTestFinished(() => receiver.close())
    return { channel, receiver }
  }

  describe.each([
    ['to a log in the same database', () => ({ store: database })],
    ['to a log elsewhere, by a relay', () => ({ store: 'memory:', outbox: database })],
  ])('%s', (_name, options) => {
    it('delivers what commits, and nothing of what is rolled back', async () => {
      const { channel, receiver } = await open(options())
      const client = await connect()
      await client.query('BEGIN')
      await channel.in(client).postMessageToAll('Undone', 1)
      await client.query("SELECT serverchannel.post_message_to_all('Undone', '2')")
      await client.query('ROLLBACK')
      await client.query('BEGIN')
      const { id } = await channel.in(client).postMessageToAll('Done', { text: 'O\u0000 é 😀', list: [1, null] })
      await client.query('SAVEPOINT a')
      await channel.in(client).postMessageToAll('Undone', 3)
      await client.query('ROLLBACK TO a')
      await client.query("SELECT serverchannel.post_message_to_all('Done', 'from SQL')")
      await client.query('COMMIT')
      await channel.postMessageToAll('End')
      const messages = await receiver.take(3)
      // Which of a relay and a post comes first nobody promises.
      const done = messages.filter(({ Header }) => Header.Sender !== 'End')
      expect(done.map(({ Header, Body }) => [Header.Sender, Body])).toEqual([
        ['Done', { text: 'O\u0000 é 😀', list: [1, null] }],
        ['Done', 'from SQL'],
      ])
      expect(done[0]?.Id).toBe(id)
    })

    it('delivers in the order of the commits, not of the statements', async () => {
      const { receiver } = await open(options())
      const [early, late] = [await connect(), await connect()]
      await early.query('BEGIN')
      await early.query("SELECT serverchannel.post_message_to_all('Early', '{}')")
      await late.query("SELECT serverchannel.post_message_to_all('Late', '{}')")
      expect((await receiver.take(1))[0]?.Header.Sender).toBe('Late')
      await early.query('COMMIT')
      expect((await receiver.take(1))[0]?.Header.Sender).toBe('Early')
    })

    it('goes on past numbers that were given at a commit that failed', async () => {
      const { channel, receiver } = await open(options())
      const client = await connect()
      await client.query(
        `CREATE TABLE totals (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO totals VALUES (1)`,
      )
      await client.query('BEGIN')
      // Its number is given before the constraint is found to be broken.
      await client.query("SELECT serverchannel.post_message_to_all('Undone', '1')")
      await client.query('INSERT INTO totals VALUES (1)')
      await expect(client.query('COMMIT')).rejects.toMatchObject({ code: '23505' })
      await client.query("SELECT serverchannel.post_message_to_all('Done', '2')")
      expect((await receiver.take(1))[0]?.Header.Sender).toBe('Done')
      await channel.postMessageToAll('End')
      expect((await receiver.take(1))[0]?.Header.Sender).toBe('End')
      const { messages } = await channel.read()
      expect(messages.map(({ Header }) => Header.Sender)).toEqual(['Done', 'End'])
    })

    it('takes an id once, and for a user', async () => {
      const { channel, receiver } = await open(options())
      const client = await connect()
      for (const isolation of ['READ COMMITTED', 'SERIALIZABLE']) {
        await client.query(`BEGIN ISOLATION LEVEL ${isolation}`)
        await channel.in(client).post({ sender: 'Paid', body: 1, id: 'payment-7' })
        await client.query("SELECT serverchannel.post('Paid', '1', id => 'payment-7')")
        await client.query('COMMIT')
      }
      await channel.in(client).postMessage('somebody-else', 'Paid', 2)
      await client.query("SELECT serverchannel.post_message_to_all('End')")
      expect((await receiver.take(2)).map(({ Header, Id }) => [Header.Sender, Id === 'payment-7'])).toEqual([
        ['Paid', true],
        ['End', false],
      ])
    })

    it('takes what a trigger posts', async () => {
      const { receiver } = await open(options())
      const client = await connect()
      await client.query(`
        CREATE TABLE orders (id integer PRIMARY KEY, state text);
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          PERFORM serverchannel.post('OrderChanged', to_jsonb(NEW), key => 'order:' || NEW.id);
          RETURN NULL;
        END $$;
        CREATE TRIGGER tell AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION tell();
        INSERT INTO orders VALUES (42, 'new')`)
      expect((await receiver.take(1))[0]?.Body).toEqual({ id: 42, state: 'new' })
    })

    it('delivers within a moment of the commit', async () => {
      const { receiver } = await open(options())
      const client = await connect()
      const times: number[] = []
      for (let number = 0; number < 40; number++) {
        await client.query('BEGIN')
        await client.query('SELECT serverchannel.post_message_to_all($1, $2::jsonb)', ['Tick', number])
        await client.query('COMMIT')
        const committed = performance.now()
        expect((await receiver.take(1))[0]?.Body).toBe(number)
        times.push(performance.now() - committed)
      }
      const [median = 0] = times.sort((a, b) => a - b).slice(20)
      console.log(`commit to handler, ${_name}: median ${median.toFixed(2)} ms, longest ${times.at(-1)?.toFixed(1)} ms`)
      // Far below any poll: it was woken.
      expect(median).toBeLessThan(500)
    })
  })

  it('has a transaction run again that began before another one posted its id', async () => {
    const { receiver } = await open({ store: database })
    const [early, late] = [await connect(), await connect()]
    const post = "SELECT serverchannel.post('Paid', '1', id => 'payment-7')"
    await early.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await early.query('SELECT 1')
    await late.query(post)
    await early.query(post)
    await expect(early.query('COMMIT')).rejects.toMatchObject({ code: '40001', hint: 'Run the transaction again.' })
    await early.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await early.query(post)
    await early.query('COMMIT')
    await early.query("SELECT serverchannel.post_message_to_all('End')")
    expect((await receiver.take(2)).map(({ Header }) => Header.Sender)).toEqual(['Paid', 'End'])
  })

  it('gives each kind of body its meaning', async () => {
    const { receiver } = await open({ store: database })
    const client = await connect()
    const bodies = [
      `'{"id":42}'`,
      `'{"id":42}'::jsonb`,
      `'{"id": 42}'::json`,
      `to_jsonb('{"id":42}'::text)`,
      `'My message value'`,
      `'42'`,
      `'42'::jsonb`,
      `'[info] no list'`,
      `' [1, 2]'::varchar`,
      'NULL::jsonb',
      'NULL::text',
    ]
    for (const body of bodies) await client.query(`SELECT serverchannel.post_message_to_all('Body', ${body})`)
    expect((await receiver.take(bodies.length)).map(({ Body }) => Body)).toEqual([
      { id: 42 },
      { id: 42 },
      { id: 42 },
      '{"id":42}',
      'My message value',
      '42',
      42,
      '[info] no list',
      [1, 2],
      null,
      null,
    ])
  })

  it('refuses in SQL what the server would refuse, and says why', async () => {
    await open({ store: database })
    const client = await connect()
    const wrong: [string, string, string][] = [
      [`post_message_to_all('')`, 'sender_invalid', "'sender' needs to be a text of 1 to 256 characters"],
      [`post_message_to_all(NULL)`, 'sender_invalid', 'it is NULL'],
      [`post_message_to_all(repeat('x', 257))`, 'sender_invalid', 'it is one of 257'],
      [`post_message_to_all('A', to_jsonb(repeat('x', 1048577)))`, 'body_too_large', 'more than the 1048576'],
      [`post_message_to_all('A', (repeat('[', 65) || repeat(']', 65))::jsonb)`, 'body_too_deep', '64 levels'],
      [`post_message('', 'A')`, 'audience_invalid', "An id in 'users'"],
      [`post('A', audience => '{}')`, 'audience_invalid', 'It names nobody'],
      [`post('A', audience => '{"user":"a"}')`, 'audience_invalid', "It has no 'user'"],
      [`post('A', audience => '{"users":[null]}')`, 'audience_invalid', "An id in 'users'"],
      [`post('A', audience => '[]')`, 'audience_invalid', 'an object with users'],
      [`post('A', ttl => interval '0')`, 'ttl_invalid', "'ttl' needs"],
      [`post('A', min_interval => interval '1 s')`, 'message_invalid', "needs a 'key'"],
      [`post('A', id => '')`, 'id_invalid', "'id' needs"],
    ]
    for (const [call, detail, message] of wrong) {
      await expect(client.query(`SELECT serverchannel.${call}`)).rejects.toMatchObject({
        code: '22023',
        detail,
        message: expect.stringContaining(message),
      })
    }
    await expect(client.query(`SELECT serverchannel.post('A', channel => 'other')`)).rejects.toMatchObject({
      hint: "Create it: SELECT serverchannel.create_channel('other')",
    })
    await client.query(`SELECT serverchannel.post('A', (repeat('[', 64) || repeat(']', 64))::jsonb)`)
  })

  it('lets a role post that may use the schema, and nothing else', async () => {
    const { channel, receiver } = await open({ store: database })
    const client = await connect()
    await client.query(`DROP ROLE IF EXISTS poster; CREATE ROLE poster`)
    await client.query('SET ROLE poster')
    await expect(client.query(`SELECT serverchannel.post_message_to_all('A', '1')`)).rejects.toMatchObject({
      code: '42501',
    })
    await client.query('RESET ROLE; GRANT USAGE ON SCHEMA serverchannel TO poster; SET ROLE poster')
    await client.query(`SELECT serverchannel.post_message_to_all('A', '1')`)
    expect((await receiver.take(1))[0]?.Header.Sender).toBe('A')
    for (const statement of [
      'SELECT * FROM serverchannel.entries',
      `SELECT serverchannel.open_log('main', 'store')`,
      'SELECT serverchannel.trim(1, 0, 0, 0)',
      'SELECT serverchannel.acknowledge(1, 100)',
      `SELECT serverchannel.put_aside(1, 1, '')`,
      'SELECT * FROM serverchannel.refused',
      // It would write whatever a server writes, and who sent it too.
      `SELECT serverchannel.write('main', '{}', NULL, 1, 1)`,
      `SELECT serverchannel.renew_epoch(1, '')`,
    ]) {
      await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' })
    }
    await expect(channel.in(client).postMessageToAll('B')).rejects.toMatchObject({
      code: 'store_failed',
      message: expect.stringContaining('EXECUTE ON FUNCTION serverchannel.write'),
    })
    await client.query('RESET ROLE; GRANT EXECUTE ON FUNCTION serverchannel.write TO poster; SET ROLE poster')
    await channel.in(client).postMessageToAll('B')
    expect((await receiver.take(1))[0]?.Header.Sender).toBe('B')
    await client.query('RESET ROLE; REVOKE ALL ON FUNCTION serverchannel.write FROM poster')
    await client.query('REVOKE ALL ON SCHEMA serverchannel FROM poster; DROP ROLE poster')
  })

  it('is told from TypeScript what is wrong', async () => {
    const { channel } = await open({ store: 'memory:' })
    const client = await connect()
    expect(() => channel.in(client)).toThrow("needs the option 'outbox'")
    const { channel: other } = await open({ store: 'memory:', outbox: database })
    expect(() => other.in({} as Client)).toThrow("needs a method 'query(text, params)'")
    await expect(other.in(client).postMessageToAll('')).rejects.toMatchObject({ code: 'sender_invalid' })
    await client.query('DROP SCHEMA serverchannel CASCADE')
    await expect(other.in(client).postMessageToAll('A')).rejects.toMatchObject({
      code: 'store_failed',
      message: expect.stringContaining('npx serverchannel outbox install'),
    })
  })

  it('does not let a relay take what is a log, nor the other way round', async () => {
    await open({ store: database })
    await expect(createServerChannel({ outbox: database })).rejects.toThrow("is a store's log already")
    await open({ outbox: `${database}?channel=outbox` })
    await expect(createServerChannel({ store: `${database}?channel=outbox` })).rejects.toThrow('a relay takes')
    await expect(createServerChannel({ outbox: 'mongodb://here' })).rejects.toThrow(
      "There is no outbox 'mongodb://here'",
    )
  })

  it('is installed by a command, which can be run again', async () => {
    expect(await run(['outbox', 'install', database])).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringContaining('001-log.sql'),
    })
    expect(await run(['outbox', 'install', `${database}?channel=more`, '--json'])).toMatchObject({
      code: 0,
      out: '{"installed":[],"channel":"more"}\n',
    })
    const client = await connect()
    const { rows } = await client.query('SELECT name FROM serverchannel.channels ORDER BY number')
    expect(rows).toEqual([{ name: 'main' }, { name: 'more' }])
    const wrong = await run(['outbox', 'install', 'postgres://u:secret@127.0.0.1:1/x'])
    expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('postgres://u:***@127.0.0.1:1/x') })
    expect(wrong.err).not.toContain('secret')
  })

  it('is installed by what the command prints, too', async () => {
    const { code, out } = await run(['outbox', 'install', '--print'])
    expect(code).toBe(0)
    const client = await connect()
    await client.query(out)
    expect(await run(['outbox', 'install', database, '--json'])).toMatchObject({
      out: '{"installed":[],"channel":"main"}\n',
    })
  })
})
