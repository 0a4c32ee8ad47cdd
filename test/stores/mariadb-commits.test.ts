import { onTestFinished } from 'vitest'
import { describeMariadb } from '../support/mariadb-scene.ts'
import { MysqlOutboxScene } from '../support/mysql-outbox-scene.ts'
import { itDeliversCommits } from '../support/outbox-commits.ts'
import { hasPostgres, PostgresProcess } from '../support/postgres-process.ts'

/** What a commit costs is no matter here. */
const SETTINGS = ['--innodb-flush-log-at-trx-commit=0']

describeMariadb('commits in MariaDB', SETTINGS, (mariadb) => {
  const scene = (): MysqlOutboxScene => new MysqlOutboxScene(mariadb, 'mysql')
  itDeliversCommits('MariaDB', scene, 1)
  if (hasPostgres) itDeliversCommits('MariaDB, two relays to PostgreSQL', scene, 2, { nodes: 2, openStore })
})

// The default of MariaDB 11.6.2 and newer.
describeMariadb(
  'commits in MariaDB with isolated snapshots',
  [...SETTINGS, '--innodb-snapshot-isolation=ON'],
  (mariadb) => {
    itDeliversCommits('MariaDB with isolated snapshots', () => new MysqlOutboxScene(mariadb, 'mysql'), 3)
  },
)

async function openStore(): Promise<string> {
  const postgres = await PostgresProcess.start(['fsync = off'])
  onTestFinished(() => postgres.close())
  return postgres.createDatabase()
}
