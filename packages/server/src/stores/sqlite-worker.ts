import { parentPort, workerData } from 'node:worker_threads'
import type { FromThread, Request, ThreadOptions } from './sqlite-messages.ts'
import { SqliteThread } from './sqlite-thread.ts'

/** The program of the thread that has the file open: syncs and checkpoints don't hold up the server's own. */
if (!parentPort) throw new Error('This is the program of a thread.')
const port = parentPort
const thread = new SqliteThread((message: FromThread) => port.postMessage(message))
await thread.open(workerData as ThreadOptions)
port.on('message', (request: Request) => thread.take(request))
