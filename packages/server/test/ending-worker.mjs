// The thread of an SQLite log that ends without a word where it is to append a certain text: before that, or right after.
import { parentPort, workerData } from 'node:worker_threads'
import { SqliteThread } from '../dist/stores/sqlite-thread.js'

let isEnding = false
const thread = new SqliteThread((message) => {
  if (isEnding) process.exit(3)
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort.postMessage(message)
})
await thread.open(workerData)
parentPort.on('message', (request) => {
  const texts = (request.rows ?? []).map(({ text }) => text).join()
  if (texts.includes('end before')) process.exit(3)
  isEnding = texts.includes('end after')
  thread.take(request)
})
