import { createServerChannel, type ServerChannel } from 'serverchannel'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { run as runCommand } from '../support/cli-process.ts'
import { describeMariadb } from '../support/mariadb-scene.ts'
import { connectMysql } from '../support/mysql-session.ts'
import { type Receiver, receive } from '../support/receiver.ts'

describeMariadb('the outbox in MariaDB', [], (mariadb) => {
  let database = ''
  beforeEach(async () => {
    database = await mariadb().createDatabase()
    // Whatever its texts are in by default.
    await mariadb().query('ALTER DATABASE CHARACTER SET latin1', database)
  })

  async function open(): Promise<{ channel: ServerChannel; receiver: Receiver }> {
    const channel = await createServerChannel({
      development: true,
      store: 'memory:',
      outbox: database,
    })
    onTestFinished(() => channel.close())
    const { url } = await channel.listen()
    const receiver = await receive(`${url}/msg`)
    onTestFinished(() => receiver.close())
    return { channel, receiver }
  }

  const post = (body: number): string => `INSERT INTO serverchannel_outbox (sender, body) VALUES ('A', '${body}')`
  const bodiesOf = async (receiver: Receiver, count: number): Promise<unknown[]> =>
    (await receiver.take(count)).map(({ Body }) => Body)

  it('lets nobody overtake a transaction that has posted', async () => {
    const { receiver } = await open()
    const [early, late] = [await connectMysql(database), await connectMysql(database)]
    await early.run('START TRANSACTION')
    await early.run(post(1))
    let hasPosted = false
    const posted = late.run(post(2)).then(() => {
      hasPosted = true
    })
    for (let look = 0; look < 20; look++) await early.run('SELECT 1')
    expect(hasPosted).toBe(false)
    await early.run('SAVEPOINT a')
    await early.run(post(3))
    await early.run('ROLLBACK TO SAVEPOINT a')
    for (let look = 0; look < 20; look++) await early.run('SELECT 1')
    expect(hasPosted).toBe(false)
    await early.run('COMMIT')
    await posted
    expect(await bodiesOf(receiver, 2)).toEqual([1, 2])
  })

  it('forgets what is delivered while somebody else has posted and not committed', async () => {
    const { receiver } = await open()
    const [first, posting] = [await connectMysql(database), await connectMysql(database)]
    await first.run('START TRANSACTION')
    for (let body = 0; body < 50; body++) await first.run(post(body))
    await first.run('COMMIT')
    await posting.run('START TRANSACTION')
    await posting.run(post(50))
    await bodiesOf(receiver, 50)
    let left = 50
    while (left > 0) {
      const [row] = await mariadb().query<{ n: number }>('SELECT COUNT(*) AS n FROM serverchannel_outbox', database)
      left = row?.n ?? 0
    }
    await posting.run('COMMIT')
    expect(await bodiesOf(receiver, 1)).toEqual([50])
  })

  it('keeps statements of many rows together and in order, whoever else posts', async () => {
    const { receiver } = await open()
    const sessions = await Promise.all(Array.from({ length: 4 }, () => connectMysql(database)))
    await Promise.all(
      sessions.map(async ({ run }, session) => {
        for (let turn = 0; turn < 5; turn++) {
          await run(`INSERT INTO serverchannel_outbox (sender, body)
              SELECT 'Many', JSON_ARRAY(${session}, ${turn}, seq) FROM seq_1_to_20 ORDER BY seq`)
        }
      }),
    )
    const bodies = (await bodiesOf(receiver, 400)) as [number, number, number][]
    const turns = [0, 0, 0, 0]
    for (let from = 0; from < 400; from += 20) {
      const [session = 0] = bodies[from] ?? []
      const turn = turns[session] ?? 0
      expect(bodies.slice(from, from + 20)).toEqual(Array.from({ length: 20 }, (_, row) => [session, turn, row + 1]))
      turns[session] = turn + 1
    }
  })

  it('fails no transaction with a snapshot because somebody else posted meanwhile', async () => {
    const { receiver } = await open()
    const [early, late] = [await connectMysql(database), await connectMysql(database)]
    await early.run('SET SESSION innodb_snapshot_isolation = ON')
    await early.run('START TRANSACTION WITH CONSISTENT SNAPSHOT')
    await late.run(post(1))
    await early.run(post(2))
    await early.run('COMMIT')
    expect(await bodiesOf(receiver, 2)).toEqual([1, 2])
  })

  it('goes on when MariaDB was killed -9 and is back', async () => {
    const { receiver } = await open()
    await (await connectMysql(database)).run(post(1))
    expect(await bodiesOf(receiver, 1)).toEqual([1])
    await mariadb().kill()
    await mariadb().restart()
    await (await connectMysql(database)).run(post(2))
    expect(await bodiesOf(receiver, 1)).toEqual([2])
  })

  it('takes every character and every level that the server takes, from a session that is not strict too', async () => {
    const { channel, receiver } = await open()
    const { connection, run } = await connectMysql(database)
    await run("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'")
    const deep = JSON.parse(`${'['.repeat(60)}${']'.repeat(60)}`) as unknown
    const body = { text: 'O\u0000 \\ \' " é 😀', deep }
    await channel.in(connection).postMessageToAll('é 😀', body, { key: "k'", ttlMs: 60_000.5, intervalMs: 10 })
    await expect(run("INSERT INTO serverchannel_outbox (sender) VALUES (REPEAT('x', 2000))")).rejects.toThrow(
      'sender_invalid',
    )
    await run(`CALL serverchannel_post_message_to_all('Text', 'say "hi" \\ é 😀')`)
    await run(`CALL serverchannel_post_message_to_all('Text', '42')`)
    await run(`CALL serverchannel_post_message_to_all('Text', ' {"id":42}')`)
    await run(`CALL serverchannel_post_message_to_all('Text', '[info] no list')`)
    await run(`CALL serverchannel_post_message_to_all('Text', NULL)`)
    expect((await receiver.take(6)).map(({ Header, Body }) => [Header.Sender, Body])).toEqual([
      ['é 😀', body],
      ['Text', 'say "hi" \\ é 😀'],
      ['Text', '42'],
      ['Text', { id: 42 }],
      ['Text', '[info] no list'],
      ['Text', null],
    ])
  })

  it('lets an account post that may do nothing else', async () => {
    const { receiver } = await open()
    const name = new URL(database).pathname.slice(1)
    const addressOf = (user: string): string => database.replace('root@', `${user}@`)
    await mariadb().query("CREATE OR REPLACE USER 'poster'@'127.0.0.1'")
    await mariadb().query(`GRANT INSERT ON ${name}.serverchannel_outbox TO 'poster'@'127.0.0.1'`)
    await mariadb().query(
      `GRANT EXECUTE ON PROCEDURE ${name}.serverchannel_post_message_to_all TO 'poster'@'127.0.0.1'`,
    )
    const poster = await connectMysql(addressOf('poster'))
    await poster.run(post(1))
    await poster.run("CALL serverchannel_post_message_to_all('A', 'x')")
    expect(await bodiesOf(receiver, 2)).toEqual([1, 'x'])
    for (const statement of [
      'SELECT * FROM serverchannel_outbox',
      'DELETE FROM serverchannel_outbox',
      'UPDATE serverchannel_order SET one = 2',
    ]) {
      await expect(poster.run(statement)).rejects.toThrow('denied')
    }
    await expect(createServerChannel({ outbox: addressOf('poster') })).rejects.toMatchObject({
      code: 'store_failed',
    })
  })

  it('is told what is wrong with the address', async () => {
    for (const address of ['mysql://127.0.0.1', 'mysql://127.0.0.1/', 'mysql:database']) {
      await expect(createServerChannel({ outbox: address })).rejects.toThrow("is like 'mysql://user:password@host")
    }
    const wrong = await runCommand(['outbox', 'install', 'mysql://u:secret@127.0.0.1:1/x'])
    expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('mysql://u:***@127.0.0.1:1/x') })
    expect(wrong.err).not.toContain('secret')
  })
})
