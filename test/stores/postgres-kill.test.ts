import { Client } from 'pg'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { KillRig } from '../support/kill-rig.ts'
import { describePostgres } from '../support/postgres-scene.ts'
import { judgeKilledRelays, type WriterSession } from '../support/relay-rig.ts'

/** `KILLS=200 npx vitest run test/stores/postgres-kill.test.ts` */
const kills = Number(process.env['KILLS'] ?? 8)
const MS_PER_KILL_MAX = 10_000

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
    await judgeKilledRelays({
      options: { store: `${database}?channel=log`, outbox: database, historyCountMax: 1_000_000 },
      kills,
      connect: () => connect(database),
      async restartEngine() {
        await postgres().kill()
        await postgres().restart()
      },
      truth: () => postgres().query('SELECT n, writer FROM truth', database),
    })
  })
})

async function connect(database: string): Promise<WriterSession> {
  const client = new Client({ connectionString: database })
  client.on('error', () => {})
  await client.connect()
  return {
    async transact(n, writer, isUndone) {
      await client.query('BEGIN')
      await client.query('INSERT INTO truth VALUES ($1, $2)', [n, writer])
      await client.query('SELECT serverchannel.post_message_to_all($1, $2::jsonb)', ['Written', n])
      await client.query(isUndone ? 'ROLLBACK' : 'COMMIT')
    },
    drop: () => client.connection.stream.destroy(),
  }
}
