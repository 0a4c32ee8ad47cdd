import { EventEmitter } from 'node:events'
import type { Server } from 'node:http'
import { expect, it } from 'vitest'
import { UnusedSockets } from '../src/http/unused-sockets.ts'

const SOCKETS = 40_000

/** What of a socket is asked. */
class FakeSocket extends EventEmitter {
  readonly bytesRead = 0
  destroyed = false

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.emit('close')
  }
}

it('the end of a connection costs the same, however many there are', () => {
  const server = new EventEmitter()
  const unused = new UnusedSockets(server as Server)
  const sockets = Array.from({ length: SOCKETS }, () => new FakeSocket())
  for (const socket of sockets) server.emit('connection', socket)
  const start = process.cpuUsage()
  // The newest first: none of them stands where a search would begin.
  for (const socket of sockets.slice(1).reverse()) socket.destroy()
  // A search through all of them each time took some seconds.
  expect(process.cpuUsage(start).user / 1000).toBeLessThan(800)
  unused.destroyAll()
  expect(sockets.every(({ destroyed }) => destroyed)).toBe(true)
})
