import { createServerChannel, type ServerChannel } from 'serverchannel'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { run } from '../support/cli-process.ts'
import { MariadbOutboxScene } from '../support/mariadb-outbox.ts'
import { describeMariadb } from '../support/mariadb-scene.ts'
import { describeOutbox, type OutboxSession, take, until } from '../support/outbox-contract.ts'

describeMariadb('posting in a transaction of MariaDB', [], (mariadb) => {
  const scene = new MariadbOutboxScene(mariadb)
  describeOutbox('MariaDB', () => scene)

  describe('in MariaDB alone', () => {
    let address = ''
    beforeEach(async () => {
      address = await mariadb().createDatabase()
    })

    async function connect(): Promise<OutboxSession> {
      const session = await scene.connect(address)
      onTestFinished(() => session.close().catch(() => {}))
      return session
    }

    async function open(): Promise<ServerChannel> {
      const outbox = address.replace('mysql:', 'mariadb:')
      const channel = await createServerChannel({ development: true, outbox })
      onTestFinished(() => channel.close())
      return channel
    }

    it('has a poster wait for one that posted before it and has not committed', async () => {
      const channel = await open()
      const [early, late] = [await connect(), await connect()]
      await early.run('BEGIN')
      await late.run('BEGIN')
      await late.rows('SELECT count(*) FROM serverchannel_outbox')
      await early.run(scene.post('A', '1'))
      let hasPosted = false
      const posting = Promise.resolve(channel.in(late.transaction).postMessageToAll('A', 3)).then(() => {
        hasPosted = true
      })
      // Others wait for nothing.
      await (await connect()).run('CREATE TABLE mine (n integer); INSERT INTO mine VALUES (1)')
      await early.run(scene.post('A', '2'))
      expect(hasPosted).toBe(false)
      await early.run('COMMIT')
      await posting
      expect((await take(channel, 2)).map(({ Body }) => Body)).toEqual([1, 2])
      await late.run('COMMIT')
      expect((await take(channel, 3)).map(({ Body }) => Body)).toEqual([1, 2, 3])
    })

    it('gives each kind of body its meaning where a procedure is called', async () => {
      const channel = await open()
      const session = await connect()
      const texts = [
        ['{"id":42}', { id: 42 }],
        [' [1, 2]', [1, 2]],
        ['My message value', 'My message value'],
        ['42', '42'],
        ['true', 'true'],
        ['[info] no list', '[info] no list'],
        ['', ''],
        ['é 😀 "\\" \u0001 \n\t', 'é 😀 "\\" \u0001 \n\t'],
      ] as const
      for (const [text] of texts) {
        const hex = Buffer.from(text).toString('hex')
        await session.run(`CALL serverchannel_post_message_to_all('A', CONVERT(X'${hex}' USING utf8mb4))`)
      }
      await session.run("CALL serverchannel_post_message_to_all('A', NULL)")
      await session.run(`CALL serverchannel_post_message('user-"7', 'B', '{"id":42}')`)
      const messages = await take(channel, texts.length + 1)
      expect(messages.slice(0, texts.length + 1).map(({ Body }) => Body)).toEqual([...texts.map(([, body]) => body), null])
      await until(async () => (await channel.read({ user: 'user-"7', sender: 'B' })).messages.length === 1)
    })

    it('cuts off nothing silently where the session is not strict', async () => {
      await open()
      const session = await connect()
      await session.run("SET SESSION sql_mode = ''")
      await expect(session.run(scene.post('x'.repeat(2000), '1'))).rejects.toThrow('sender_invalid')
      await expect(session.run(scene.post('A', '1', 'x'.repeat(2000)))).rejects.toThrow('id_invalid')
    })

    it('posts what has a quote or a backslash in it, whatever the mode of the session', async () => {
      const channel = await open()
      const session = await connect()
      await session.run("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'")
      const body = `'; DROP TABLE serverchannel_outbox; -- \\' "`
      await channel.in(session.transaction).postMessageToAll(`It's \\`, body)
      expect((await take(channel, 1))[0]).toMatchObject({ Header: { Sender: `It's \\` }, Body: body })
    })

    it('lets a user post that may insert there, and nothing else', async () => {
      const channel = await open()
      const database = address.split('/').at(-1) ?? ''
      await mariadb().query(`CREATE OR REPLACE USER poster@'127.0.0.1'`)
      await mariadb().query(`GRANT INSERT ON ${database}.serverchannel_outbox TO poster@'127.0.0.1'`)
      const poster = await scene.connect(address.replace('root@', 'poster@'))
      onTestFinished(() => poster.close())
      await poster.run(scene.post('A', '1'))
      expect((await take(channel, 1))[0]?.Body).toBe(1)
      for (const statement of [
        'SELECT * FROM serverchannel_outbox',
        'DELETE FROM serverchannel_outbox',
        'UPDATE serverchannel_order SET one = 2',
      ]) {
        await expect(poster.run(statement)).rejects.toThrow(/denied/)
      }
    })

    it('says that a driver without promises is none, and what addresses look like', async () => {
      const channel = await open()
      const post = channel.in({ query: () => ({}) as never }).postMessageToAll('A')
      await expect(post).rejects.toThrow("'query' has to give a promise")
      await expect(createServerChannel({ outbox: 'mysql://here' })).rejects.toThrow(
        "like 'mysql://user:password@host:3306/database'",
      )
      const wrong = await run(['outbox', 'install', 'mariadb://u:secret@127.0.0.1:1/x'])
      expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('mariadb://u:***@127.0.0.1:1/x') })
      expect(wrong.err).not.toContain('secret')
    })

    it('goes on when MariaDB is killed and comes back', async () => {
      const channel = await open()
      const before = await connect()
      await before.run(scene.post('A', '1'))
      await take(channel, 1)
      await mariadb().kill()
      await mariadb().restart()
      const after = await connect()
      await after.run(scene.post('A', '2'))
      expect((await take(channel, 2)).map(({ Body }) => Body)).toEqual([1, 2])
    })
  })
})
