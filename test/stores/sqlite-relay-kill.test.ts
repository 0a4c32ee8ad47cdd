import { execFileSync } from 'node:child_process'
import { expect, it, onTestFinished } from 'vitest'
import { openDatabase } from '../../packages/server/src/stores/sqlite-database.ts'
import { until } from '../../packages/server/test/until.ts'
import { run } from '../support/cli-process.ts'
import { describePostgres } from '../support/postgres-scene.ts'
import { CATCH_UP_MS_MAX, judgeHeard, startServers } from '../support/relay-rig.ts'
import { SqliteOutboxScene } from '../support/sqlite-outbox.ts'

/** `KILLS=200 npx vitest run test/stores/sqlite-relay-kill.test.ts` */
const kills = Number(process.env['KILLS'] ?? 5)
const MS_PER_KILL_MAX = 15_000

describePostgres('an outbox in SQLite and a log in PostgreSQL', ['fsync = off'], (postgres) => {
  it(`brings what was committed into the log once and in order when one of two relays is killed -9, ${kills} times`, {
    timeout: 90_000 + kills * MS_PER_KILL_MAX,
  }, async () => {
    const scene = new SqliteOutboxScene('WAL')
    onTestFinished(() => scene.close())
    const address = await scene.createDatabase()
    const file = address.slice('sqlite:'.length)
    expect(await run(['outbox', 'install', address])).toMatchObject({ code: 0 })
    const database = await openDatabase(file)
    onTestFinished(() => void database.close())
    database.exec('PRAGMA busy_timeout = 60000')
    database.exec('CREATE TABLE truth (n INTEGER PRIMARY KEY)')
    const options = { store: await postgres().createDatabase(), outbox: address, historyCountMax: 1_000_000 }
    const { servers, heard } = await startServers(options)
    let next = 0
    const writing = setInterval(() => {
      const n = next++
      database.exec(`BEGIN IMMEDIATE; INSERT INTO truth VALUES (${n});
        INSERT INTO serverchannel_outbox (sender, body) VALUES ('Written', '${n}');
        ${n % 7 === 0 ? 'ROLLBACK' : 'COMMIT'}`)
    }, 5)
    onTestFinished(() => clearInterval(writing))
    for (let kill = 0; kill < kills; kill++) {
      const before = heard[0]?.bodies.length ?? 0
      await until(() => (heard[0]?.bodies.length ?? 0) > before + 10, 'something has come', CATCH_UP_MS_MAX)
      const server = servers[kill % 2]
      const readers = childrenOf(server?.pid ?? 0)
      expect(readers.length).toBeGreaterThan(0)
      await server?.kill()
      await until(() => !readers.some(isAlive), 'no process of it is left')
      await server?.start()
    }
    clearInterval(writing)
    const rows = database.prepare('SELECT n, 0 AS writer FROM truth').all() as { n: number; writer: number }[]
    await judgeHeard(heard, rows)
    console.log(`relays: ${rows.length} of ${next} transactions were committed`)
    expect(rows.length).toBeGreaterThan(10 * kills)
  })
})

function childrenOf(pid: number): readonly number[] {
  const out = execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
  return out.split('\n').map(Number).filter(Boolean)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
