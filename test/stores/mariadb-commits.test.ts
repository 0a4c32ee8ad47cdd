import { MariadbOutboxScene } from '../support/mariadb-outbox.ts'
import { describeMariadb } from '../support/mariadb-scene.ts'
import { itDeliversCommits } from '../support/outbox-commits.ts'

// What a commit costs is no matter here.
describeMariadb('commits in MariaDB', ['--innodb-flush-log-at-trx-commit=0'], (mariadb) => {
  itDeliversCommits('MariaDB', () => new MariadbOutboxScene(mariadb), 1)
})

// The default of MariaDB 11.6.2 and newer.
const settings = ['--innodb-flush-log-at-trx-commit=0', '--innodb-snapshot-isolation=ON']
describeMariadb('commits in MariaDB with isolated snapshots', settings, (mariadb) => {
  itDeliversCommits('MariaDB with isolated snapshots', () => new MariadbOutboxScene(mariadb), 2)
})
