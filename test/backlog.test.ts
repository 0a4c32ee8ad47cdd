import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { KillableServer } from './support/kill-server.ts'

/** More than the 511 that Node asks for, where nothing else is said. */
const CLIENTS = 1500

const SOMAXCONN = '/proc/sys/net/core/somaxconn'
const kept = process.platform === 'linux' ? Number(readFileSync(SOMAXCONN, 'utf8')) : 0
if (kept < CLIENTS) console.warn(`Skipped, since the kernel keeps ${kept} connections that wait (${SOMAXCONN})`)

it.skipIf(kept < CLIENTS)('clients that come back all at once wait in the kernel, and need not ask again', async () => {
  const server = await KillableServer.start({ store: 'memory:' })
  onTestFinished(() => server.close())
  const { hostname, port } = new URL(server.url)
  const sockets: Socket[] = []
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  // It accepts nobody now.
  server.signal('SIGSTOP')
  try {
    let connected = 0
    for (let count = 0; count < CLIENTS; count++) {
      const socket = connect(Number(port), hostname, () => connected++)
      sockets.push(socket.on('error', () => {}))
    }
    // Who is not kept asks again after a second, which would be answered no sooner.
    await expect.poll(() => connected, { timeout: 5000 }).toBe(CLIENTS)
  } finally {
    server.signal('SIGCONT')
  }
})
