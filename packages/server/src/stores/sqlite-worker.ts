import { parentPort, workerData } from 'node:worker_threads'
import { SqliteThread } from './sqlite-thread.ts'
import type { FromThread, Request, SqliteLogOptions } from './sqlite-messages.ts'

/** The program of the thread that has the file open: syncs and checkpoints don't hold up the server's own. */
if (!parentPort) throw new Error('This is the program of a thread.')
const port = parentPort
const thread = new SqliteThread(workerData as SqliteLogOptions, (message: FromThread) => port.postMessage(message))
await thread.open()
port.on('message', (request: Request) => thread.take(request))
port.on('close', () => thread.abandon())
