import { createServerChannel, type ServerChannel, type Transaction } from 'serverchannel'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { run } from './cli-process.ts'
import { RefusingStore } from './refusing-store.ts'

/** A connection of the application's own to its database. */
export interface OutboxSession {
  /** What `channel.in` is given. */
  readonly transaction: Transaction
  run(text: string): Promise<unknown>
  rows(text: string): Promise<readonly unknown[]>
  close(): Promise<void>
}

/** What the suite has to know of one kind of database. */
export interface OutboxDialect {
  /** A new one, with nothing in it. @returns the outbox's address */
  createDatabase(): Promise<string>
  connect(address: string): Promise<OutboxSession>
  /** A statement that posts a body, as JSON, to everybody. */
  post(sender: string, body: string, id?: string): string
  /** Makes a table `orders (id, state)` whose inserts post `{"id":…,"state":…}` from `OrderChanged`. */
  readonly trigger: readonly string[]
  /** Statements that are refused, and what the error says. */
  readonly refusals: readonly (readonly [statement: string, message: RegExp])[]
  /** Statements that post what the database takes and no server does, and what the server says. */
  readonly wrong: readonly (readonly [statement: string, reason: RegExp])[]
  /** Columns `reason`, and `sender` or what has it in it. */
  readonly refused: string
  /** Takes away what was installed. */
  readonly uninstall: readonly string[]
}

/** What every outbox has to do whose messages a relay takes. */
export function describeOutbox(name: string, dialect: () => OutboxDialect): void {
  describe(`an outbox in ${name}`, () => {
    let address = ''
    beforeEach(async () => {
      address = await dialect().createDatabase()
    })

    async function connect(): Promise<OutboxSession> {
      const session = await dialect().connect(address)
      onTestFinished(() => session.close())
      return session
    }

    async function open(store: string | RefusingStore = 'memory:', warnings: string[] = []): Promise<ServerChannel> {
      const logger = {
        warn: (...said: unknown[]) => warnings.push(said.map(String).join(' ')),
        info: () => {},
        error: (context: unknown) => warnings.push(String((context as { err?: unknown }).err)),
        debug: () => {},
      }
      const channel = await createServerChannel({ development: true, store, outbox: address, logger } as never)
      onTestFinished(() => channel.close())
      return channel
    }

    it('delivers what commits, in its order, and nothing of what is rolled back', async () => {
      const channel = await open()
      const session = await connect()
      await session.run('BEGIN')
      await channel.in(session.transaction).postMessageToAll('Undone', 1)
      await session.run(dialect().post('Undone', '2'))
      await session.run('ROLLBACK')
      await session.run('BEGIN')
      const body = { text: 'O\u0000 é 😀 "\n\\', list: [1, null, 1.5] }
      const { id } = await channel.in(session.transaction).postMessageToAll('Done', body)
      await session.run('SAVEPOINT a')
      await channel.in(session.transaction).postMessageToAll('Undone', 3)
      await session.run('ROLLBACK TO a')
      await session.run(dialect().post('Done', '"from SQL"'))
      await channel.in(session.transaction).postMessageToAll('Done', 3)
      await session.run('COMMIT')
      await session.run(dialect().post('Done', '4'))
      const messages = await take(channel, 4)
      expect(messages.map(({ Header, Body }) => [Header.Sender, Body])).toEqual([
        ['Done', body],
        ['Done', 'from SQL'],
        ['Done', 3],
        ['Done', 4],
      ])
      expect(messages[0]?.Id).toBe(id)
    })

    it('keeps all that a message may have', async () => {
      const channel = await open()
      const session = await connect()
      await channel.in(session.transaction).post({
        sender: 'A',
        body: '12345678901234567890',
        to: 'all',
        id: 'payment-7',
        bodyTypeName: 'type',
        channelType: 'kind',
        key: 'order:42',
        intervalMs: 10,
        ttlMs: 60_000,
      })
      await session.run(dialect().post('B', '{"n": 12345678901234567890}'))
      await channel.in(session.transaction).postMessage(['user-7', 'user-8'], 'C', 1, { except: 'connection-1' })
      const [first, second] = await take(channel, 2)
      expect(first).toMatchObject({ Id: 'payment-7', Header: { Sender: 'A', BodyTypeName: 'type' } })
      expect(second?.Body).toMatchObject({ n: Number('12345678901234567890') })
      const { messages } = await channel.read({ user: 'user-8', sender: 'C' })
      expect(messages.length).toBeLessThanOrEqual(1)
      await until(async () => (await channel.read({ user: 'user-8', sender: 'C' })).messages.length === 1)
      expect((await channel.read({ user: 'user-9', sender: 'C' })).messages).toEqual([])
    })

    it('takes an id once', async () => {
      const channel = await open()
      const session = await connect()
      await session.run('BEGIN')
      await channel.in(session.transaction).post({ sender: 'Paid', id: 'payment-7' })
      await session.run(dialect().post('Paid', '1', 'payment-7'))
      await session.run('COMMIT')
      await session.run(dialect().post('Paid', '1', 'payment-7'))
      await session.run(dialect().post('End', '1'))
      expect((await take(channel, 2)).map(({ Header }) => Header.Sender)).toEqual(['Paid', 'End'])
    })

    it('takes what a trigger posts', async () => {
      const channel = await open()
      const session = await connect()
      for (const statement of dialect().trigger) await session.run(statement)
      await session.run("INSERT INTO orders VALUES (42, 'new')")
      expect((await take(channel, 1))[0]).toMatchObject({ Body: { id: 42, state: 'new' } })
    })

    it('refuses a statement that the server would refuse, and says why', async () => {
      await open()
      const session = await connect()
      for (const [statement, message] of dialect().refusals) {
        const error = await session.run(statement).then(
          () => undefined,
          (reason: unknown) => reason,
        )
        expect([statement.slice(0, 200), String(error)]).toEqual([
          statement.slice(0, 200),
          expect.stringMatching(message),
        ])
      }
    })

    it('puts aside what no log takes, says so, and goes on with what is behind', async () => {
      const store = new RefusingStore()
      const warnings: string[] = []
      const channel = await open(store, warnings)
      const session = await connect()
      await session.run('BEGIN')
      for (let n = 1; n <= 5; n++) await session.run(dialect().post('Good', String(n)))
      await session.run(dialect().post('Poison', '6'))
      for (const [statement] of dialect().wrong) await session.run(statement)
      for (let n = 7; n <= 9; n++) await session.run(dialect().post('Good', String(n)))
      await session.run('COMMIT')
      await session.run(dialect().post('Good', '10'))
      const messages = await take(channel, 9)
      expect(messages.map(({ Body }) => Body)).toEqual([1, 2, 3, 4, 5, 7, 8, 9, 10])
      const count = 1 + dialect().wrong.length
      await until(() => Promise.resolve(warnings.length >= count))
      const reasons = [/This log takes no poison/, ...dialect().wrong.map(([, reason]) => reason)]
      const refused = (await session.rows(dialect().refused)) as { readonly reason: string }[]
      expect(refused.map(({ reason }) => reason)).toEqual(reasons.map((reason) => expect.stringMatching(reason)))
      expect(warnings).toEqual(reasons.map((reason) => expect.stringMatching(reason)))
      expect(JSON.stringify(refused[0])).toContain('Poison')
    })

    it('appends once what was appended and not acknowledged', async () => {
      const store = new RefusingStore()
      let failures = 3
      store.onAppended = () => (failures-- > 0 ? Promise.reject(new Error('The answer is lost')) : Promise.resolve())
      const channel = await open(store)
      const session = await connect()
      await session.run(dialect().post('A', '1'))
      await session.run(dialect().post('A', '2'))
      expect((await take(channel, 2)).map(({ Body }) => Body)).toEqual([1, 2])
      await until(() => Promise.resolve(store.appends.length > 3))
      await session.run(dialect().post('A', '3'))
      expect((await take(channel, 3)).map(({ Body }) => Body)).toEqual([1, 2, 3])
    })

    it('takes what was posted while no server ran, also more than goes at once', async () => {
      expect(await run(['outbox', 'install', address])).toMatchObject({ code: 0, err: '' })
      const session = await connect()
      await session.run('BEGIN')
      for (let n = 0; n < 2500; n++) await session.run(dialect().post('A', String(n)))
      await session.run('COMMIT')
      const channel = await open()
      const bodies = await takeBodies(channel, 2500)
      expect(bodies).toEqual(Array.from({ length: 2500 }, (_, n) => n))
    })

    it('has two relays take each message once', async () => {
      const channels = [await open(), await open()]
      const session = await connect()
      for (let n = 0; n < 200; n++) await session.run(dialect().post('A', String(n)))
      const all = async (): Promise<number[][]> => {
        const reads = await Promise.all(channels.map((channel) => channel.read({ limit: 1000 })))
        return reads.map(({ messages }) => messages.map(({ Body }) => Number(Body)))
      }
      await until(async () => (await all()).flat().length >= 200)
      const [one = [], two = []] = await all()
      expect([...one, ...two].sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n))
      for (const each of [one, two]) expect(each).toEqual(each.toSorted((a, b) => a - b))
    })

    it('says how it is installed where it is not', async () => {
      const channel = await open()
      const session = await connect()
      for (const statement of dialect().uninstall) await session.run(statement)
      // A driver that answers at once throws at once.
      const post = async (): Promise<unknown> => channel.in(session.transaction).postMessageToAll('A')
      await expect(post()).rejects.toMatchObject({
        code: 'store_failed',
        message: expect.stringContaining('npx serverchannel outbox install'),
      })
      expect(() => channel.in({} as Transaction)).toThrow('The transaction needs a method')
    })

    it('is installed by a command, which can be run again, and by what it prints', async () => {
      const first = await run(['outbox', 'install', address, '--json'])
      expect(first).toMatchObject({ code: 0, err: '' })
      expect((JSON.parse(first.out) as { installed: string[] }).installed.length).toBeGreaterThan(0)
      expect(await run(['outbox', 'install', address])).toMatchObject({
        code: 0,
        out: expect.stringMatching(/^All was there\. Post in a transaction: /),
      })
      const other = await dialect().createDatabase()
      const { out } = await run(['outbox', 'install', '--print', address])
      await runScript(await dialect().connect(other), out)
      expect(JSON.parse((await run(['outbox', 'install', other, '--json'])).out)).toMatchObject({ installed: [] })
    })
  })
}

interface Delivered {
  readonly Id: string
  readonly Header: { readonly Sender: string }
  readonly Body: unknown
}

/** All that the log has, once it has so many. */
export async function take(channel: ServerChannel, count: number): Promise<readonly Delivered[]> {
  let messages: readonly Delivered[] = []
  await until(async () => {
    messages = (await channel.read({ limit: 1000 })).messages
    return messages.length >= count
  })
  return messages
}

/** The bodies of more than one read gives. */
export async function takeBodies(channel: ServerChannel, count: number): Promise<readonly unknown[]> {
  const bodies: unknown[] = []
  let after: string | undefined
  await until(async () => {
    const { messages, position } = await channel.read({ limit: 1000, ...(after === undefined ? {} : { after }) })
    bodies.push(...messages.map(({ Body }) => Body))
    after = position
    return bodies.length >= count
  })
  return bodies
}

/** Waits until it holds, which a relay that looks once a second may take a while for. */
export async function until(condition: () => Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Waited ${timeoutMs} ms in vain`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** As a database's own tool does: all at once, or one statement after the other. */
async function runScript(session: OutboxSession, script: string): Promise<void> {
  onTestFinished(() => session.close())
  await session.run(script)
}
