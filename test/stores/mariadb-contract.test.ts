import { describeMariadb } from '../support/mariadb-scene.ts'
import { MysqlOutboxScene } from '../support/mysql-outbox-scene.ts'
import { describeOutbox } from '../support/outbox-contract.ts'

describeMariadb('an outbox in MariaDB', [], (mariadb) => {
  const byMysql2 = new MysqlOutboxScene(mariadb, 'mysql')
  describeOutbox('MariaDB, with a connection of mysql2', () => byMysql2)

  const byQuery = new MysqlOutboxScene(mariadb, 'mariadb', (connection) => ({
    query: (text, params) => connection.query(text, params),
  }))
  describeOutbox('MariaDB, with query(text, params)', () => byQuery)
})
