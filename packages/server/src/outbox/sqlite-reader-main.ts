import { SqliteReader } from './sqlite-reader.ts'
import type { ToReader } from './sqlite-reader-messages.ts'

/** The program of the process that has the application's database open. It ends with the server that forked it. */
const reader = new SqliteReader((message) => process.send?.(message))
let last: Promise<void> = Promise.resolve()
process.on('message', (message: ToReader) => {
  last = last.then(() => reader.take(message))
})
process.on('disconnect', () => process.exit(0))
// A terminal and systemd send these to all processes: the server ends this one when it is through.
process.on('SIGINT', () => {}).on('SIGTERM', () => {})
