import { createConnection } from 'mysql2/promise'
import { it, onTestFinished } from 'vitest'
import { describeMariadb } from '../support/mariadb-scene.ts'
import { hasPostgres, PostgresProcess } from '../support/postgres-process.ts'
import { judgeKilledRelays, type WriterSession } from '../support/relay-rig.ts'

/** `KILLS=200 npx vitest run test/stores/mariadb-kill.test.ts` */
const kills = Number(process.env['KILLS'] ?? 5)
const MS_PER_KILL_MAX = 15_000

describeMariadb('an outbox in MariaDB and a log in PostgreSQL, under fire', [], (mariadb) => {
  it.skipIf(!hasPostgres)(
    `bring what was committed into the log once and in order when a relay, or MariaDB, is killed -9, ${kills} times`,
    { timeout: 90_000 + kills * MS_PER_KILL_MAX },
    async () => {
      const database = await mariadb().createDatabase()
      await mariadb().query('CREATE TABLE truth (n INTEGER PRIMARY KEY, writer INTEGER)', database)
      const postgres = await PostgresProcess.start(['fsync = off'])
      onTestFinished(() => postgres.close())
      await judgeKilledRelays({
        options: { store: await postgres.createDatabase(), outbox: database, historyCountMax: 1_000_000 },
        kills,
        connect: () => connect(database),
        async restartEngine() {
          await mariadb().kill()
          await mariadb().restart()
        },
        truth: () => mariadb().query('SELECT n, writer FROM truth', database),
      })
    },
  )
})

async function connect(database: string): Promise<WriterSession> {
  const connection = await createConnection({ uri: database })
  connection.on('error', () => {})
  return {
    async transact(n, writer, isUndone) {
      await connection.query('START TRANSACTION')
      await connection.query('INSERT INTO truth VALUES (?, ?)', [n, writer])
      await connection.query("INSERT INTO serverchannel_outbox (sender, body) VALUES ('Written', ?)", [String(n)])
      await connection.query(isUndone ? 'ROLLBACK' : 'COMMIT')
    },
    drop: () => connection.destroy(),
  }
}
