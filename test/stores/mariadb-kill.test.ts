import { type Channel, connect } from '@serverchannel/client'
import { type Connection, createConnection } from 'mysql2/promise'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../packages/server/test/until.ts'
import { KillableServer } from '../support/kill-server.ts'
import { describeMariadb } from '../support/mariadb-scene.ts'
import { hasPostgres, PostgresProcess } from '../support/postgres-process.ts'

/** `KILLS=200 npx vitest run test/stores/mariadb-kill.test.ts` */
const kills = Number(process.env['KILLS'] ?? 5)
const MS_PER_KILL_MAX = 15_000
const CATCH_UP_MS_MAX = 60_000

describeMariadb('an outbox in MariaDB and a log in PostgreSQL, under fire', [], (mariadb) => {
  let database = ''
  beforeEach(async () => {
    database = await mariadb().createDatabase()
    await mariadb().query('CREATE TABLE truth (n INTEGER PRIMARY KEY, writer INTEGER)', database)
  })

  it.skipIf(!hasPostgres)(
    `bring what was committed into the log once and in order when a relay, or MariaDB, is killed -9, ${kills} times`,
    { timeout: 90_000 + kills * MS_PER_KILL_MAX },
    async () => {
      const postgres = await PostgresProcess.start(['fsync = off'])
      onTestFinished(() => postgres.close())
      const options = { store: await postgres.createDatabase(), outbox: database, historyCountMax: 1_000_000 }
      const servers = [await KillableServer.start(options), await KillableServer.start(options)]
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
          await mariadb().kill()
          await mariadb().restart()
        } else {
          await server?.kill()
          await server?.start()
        }
      }
      writing.isOver = true
      await Promise.all(writers)
      const rows = await mariadb().query<{ n: number; writer: number }>('SELECT n, writer FROM truth', database)
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
    },
  )

  /** One transaction after the other, over connections that are lost. */
  async function write(writer: number, writing: { isOver: boolean; next: number }): Promise<void> {
    let connection: Connection | undefined
    while (!writing.isOver) {
      try {
        connection ??= await connectTo(database)
        const n = writing.next++
        await connection.query('START TRANSACTION')
        await connection.query('INSERT INTO truth VALUES (?, ?)', [n, writer])
        await connection.query("INSERT INTO serverchannel_outbox (sender, body) VALUES ('Written', ?)", [String(n)])
        await connection.query(n % 7 === 0 ? 'ROLLBACK' : 'COMMIT')
      } catch {
        // Whether it was committed, the table says.
        connection?.destroy()
        connection = undefined
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    connection?.destroy()
  }
})

async function connectTo(database: string): Promise<Connection> {
  const connection = await createConnection({ uri: database })
  connection.on('error', () => {})
  return connection
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
