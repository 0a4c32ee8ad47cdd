import { type Connection, createConnection } from 'mysql2/promise'
import type { Transaction } from 'serverchannel'
import { onTestFinished } from 'vitest'

/** A connection of an application to its database. */
export interface MysqlSession {
  readonly connection: Connection
  /** Runs one statement. */
  run(sql: string): Promise<unknown>
  /** What `channel.in` is given. */
  readonly transaction: Transaction
}

/** What `channel.in` is given of a connection: itself, or what somebody wrapped it in. */
export type ToTransaction = (connection: Connection) => Transaction

/** Ends with the test. */
export async function connectMysql(address: string, toTransaction: ToTransaction = (it) => it): Promise<MysqlSession> {
  const connection = await createConnection({ uri: address.replace(/^mariadb:/, 'mysql:') })
  connection.on('error', () => {})
  onTestFinished(() => connection.destroy())
  return { connection, transaction: toTransaction(connection), run: (sql) => connection.query(sql) }
}
