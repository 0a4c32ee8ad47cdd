import { type Channel, connect } from '@serverchannel/client'
import { Client } from 'pg'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../packages/server/test/until.ts'
import { KillRig } from '../support/kill-rig.ts'
import { KillableServer } from '../support/kill-server.ts'
import { describePostgres } from '../support/postgres-scene.ts'

/** `KILLS=200 npx vitest run test/stores/postgres-kill.test.ts` */
const kills = Number(process.env['KILLS'] ?? 8)
const MS_PER_KILL_MAX = 10_000
const CATCH_UP_MS_MAX = 60_000

describePostgres('a log in PostgreSQL, under fire', [], (postgres) => {
  let database = ''
  beforeEach(async () => {
    database = await postgres().createDatabase()
  })

  it(`loses, doubles and reorders nothing when one of two servers is killed -9, ${kills} times`, {
    timeout: 60_000 + kills * MS_PER_KILL_MAX,
  }, async () => {
    const options = { store: database, historyCountMax: 1_000_000 }
    const rig = await KillRig.start({ servers: [options, options] })
    onTestFinished(() => rig.close())
    for (let kill = 0; kill < kills; kill++) {
      const server = rig.servers[kill % 2]
      await rig.whilePosting(async () => {
        await server?.kill()
        await server?.start()
      })
    }
    const verdict = await rig.finish()
    console.log(`servers: ${JSON.stringify(verdict)}`)
    expect(verdict).toMatchObject({ epochs: 1, gaps: 0 })
    expect(verdict.recoveries).toBeGreaterThan(kills)
    expect(verdict.posts).toBeGreaterThan(10 * kills)
  })

  it(`loses, doubles and reorders nothing when PostgreSQL is killed -9, ${kills} times`, {
    timeout: 60_000 + kills * MS_PER_KILL_MAX,
  }, async () => {
    const options = { store: database, historyCountMax: 1_000_000 }
    const rig = await KillRig.start({ servers: [options, options] })
    onTestFinished(() => rig.close())
    for (let kill = 0; kill < kills; kill++) {
      await rig.whilePosting(async () => {
        await postgres().kill()
        await postgres().restart()
      })
    }
    const verdict = await rig.finish()
    console.log(`engine: ${JSON.stringify(verdict)}`)
    expect(verdict).toMatchObject({ epochs: 1, gaps: 0 })
    expect(verdict.posts).toBeGreaterThan(10 * kills)
  })

  it(`brings what was committed into another log once and in order when a relay, or PostgreSQL, is killed -9, ${kills} times`, {
    timeout: 90_000 + kills * MS_PER_KILL_MAX,
  }, async () => {
    await postgres().query('CREATE TABLE truth (n integer PRIMARY KEY, writer integer)', database)
    const options = { store: `${database}?channel=log`, outbox: database, historyCountMax: 1_000_000 }
    const servers = await Promise.all([KillableServer.start(options), KillableServer.start(options)])
    onTestFinished(async () => void (await Promise.all(servers.map((server) => server.close()))))
    const heard = servers.map((server) => listen(server))
    await Promise.all(heard.map(({ channel }) => channel.ready()))
    const writing = { isOver: false, next: 0 }
    const writers = [0, 1, 2].map((writer) => write(writer, writing))
    for (let kill = 0; kill < kills; kill++) {
      const from = writing.next
      await until(() => writing.next > from + 10, 'something was written', CATCH_UP_MS_MAX)
      const server = servers[kill % 2]
      if (kill % 4 === 3) {
        await postgres().kill()
        await postgres().restart()
      } else {
        await server?.kill()
        await server?.start()
      }
    }
    writing.isOver = true
    await Promise.all(writers)
    const rows = await postgres().query<{ n: number; writer: number }>('SELECT n, writer FROM truth', database)
    const truth = new Map(rows.map(({ n, writer }) => [n, writer]))
    for (const { bodies, gaps } of heard) {
      await until(() => bodies.length >= truth.size, `${truth.size} messages have come`, CATCH_UP_MS_MAX)
      expect(gaps).toEqual([])
      expect(bodies.toSorted((a, b) => a - b)).toEqual([...truth.keys()].sort((a, b) => a - b))
      // Each writer commits one after the other.
      for (const writer of [0, 1, 2]) {
        const own = bodies.filter((n) => truth.get(n) === writer)
        expect(own).toEqual(own.toSorted((a, b) => a - b))
      }
    }
    // The same order for all.
    expect(heard[1]?.bodies).toEqual(heard[0]?.bodies)
    console.log(`relays: ${truth.size} of ${writing.next} transactions were committed`)
    expect(truth.size).toBeGreaterThan(10 * kills)
  })

  /** One transaction after the other, over connections that are lost. */
  async function write(writer: number, writing: { isOver: boolean; next: number }): Promise<void> {
    let client: Client | undefined
    while (!writing.isOver) {
      try {
        client ??= await connectTo(database)
        const n = writing.next++
        await client.query('BEGIN')
        await client.query('INSERT INTO truth VALUES ($1, $2)', [n, writer])
        await client.query('SELECT serverchannel.post_message_to_all($1, $2::jsonb)', ['Written', n])
        await client.query(n % 7 === 0 ? 'ROLLBACK' : 'COMMIT')
      } catch {
        // Whether it was committed, the table says.
        client?.connection.stream.destroy()
        client = undefined
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    await client?.end()
  }
})

async function connectTo(database: string): Promise<Client> {
  const client = new Client({ connectionString: database })
  client.on('error', () => {})
  await client.connect()
  return client
}

function listen(server: KillableServer): { channel: Channel; bodies: number[]; gaps: unknown[] } {
  const channel = connect(`${server.url.replace('http', 'ws')}/msg`, {
    WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    reconnectDelayMs: 40,
    reconnectDelayMsMax: 80,
  })
  onTestFinished(() => channel.close())
  const bodies: number[] = []
  const gaps: unknown[] = []
  channel.onMessage(({ Body }) => bodies.push(Number(Body)))
  channel.onGap((gap) => gaps.push(gap))
  return { channel, bodies, gaps }
}
